use super::*;

fn sample() -> Btf {
    let mut btf = Btf::new();
    let u32_ = btf.int("unsigned int", 4, IntEncoding::Unsigned);
    let u64_ = btf.int("unsigned long long", 8, IntEncoding::Unsigned);
    let node = btf.reserve();
    let next = btf.pointer(node);
    let members = vec![Member::new("value", u64_, 0), Member::new("next", next, 8)];
    btf.define(node, Type::Struct { name: "node".into(), size: 16, members });
    let ring = btf.array(u32_, 16);
    let alias = btf.add(Type::Typedef { name: "ring_t".into(), target: ring });
    let constant = btf.add(Type::Const { target: alias });
    btf.add(Type::Union { name: String::new(), size: 64, members: vec![Member::new("ring", constant, 0)] });
    let flags = vec![
        Member { name: "a".into(), ty: u32_, bit_offset: 0, bitfield_size: 3 },
        Member { name: "b".into(), ty: u32_, bit_offset: 3, bitfield_size: 29 },
    ];
    btf.add(Type::Struct { name: "flags".into(), size: 4, members: flags });
    let values =
        vec![EnumValue { name: "OPEN".into(), value: -1 }, EnumValue { name: "CLOSED".into(), value: 1 }];
    btf.add(Type::Enum { name: "state".into(), size: 4, signed: true, values });
    let wide = vec![EnumValue { name: "BIG".into(), value: 1 << 40 }];
    btf.add(Type::Enum64 { name: "wide".into(), size: 8, signed: false, values: wide });
    btf.add(Type::Float { name: "double".into(), size: 8 });
    btf.add(Type::Forward { name: "sk_buff".into(), is_union: false });
    btf.add(Type::Volatile { target: u64_ });
    btf.add(Type::Restrict { target: next });
    let function =
        btf.function("runtime.chanrecv2.u32.16", Linkage::Static, u32_, vec![Parameter::new("h", next)]);
    btf.add(Type::DeclTag { name: "btf:tag".into(), target: function, component: 0 });
    btf.add(Type::TypeTag { name: "kptr".into(), target: node });
    let ty = u64_;
    let variable = btf.add(Type::Variable { name: "count".into(), ty, linkage: VariableLinkage::Global });
    let entries = vec![DataEntry { variable, offset: 0, size: 8 }];
    btf.add(Type::DataSection { name: ".bss".into(), size: 8, entries });
    btf
}

#[test]
fn equal_types_share_an_id() {
    let mut btf = Btf::new();
    let a = btf.int("int", 4, IntEncoding::Signed);
    let p = btf.pointer(a);
    assert_eq!(btf.int("int", 4, IntEncoding::Signed), a);
    assert_eq!(btf.pointer(a), p);
    assert_ne!(btf.int("int", 4, IntEncoding::Unsigned), a);
    assert_eq!(btf.array(a, 3), btf.array(a, 3));
    assert_eq!(btf.len(), 4);
}

#[test]
fn every_kind_survives_the_round_trip() {
    let btf = sample();
    let bytes = btf.to_bytes().expect("the sample is well formed");
    let back = Btf::parse(&bytes).expect("what was written is readable");
    assert_eq!(back, btf);
    assert_eq!(back.to_bytes().expect("still well formed"), bytes);
}

#[test]
fn strings_are_stored_once_and_keep_their_offsets() {
    let mut strings = Strings::new();
    let main = strings.intern("main.go");
    assert_eq!((strings.intern(""), strings.intern("main.go")), (0, main));
    assert_eq!(strings.intern("cut\0here"), strings.intern("cut"));
    let bytes = sample().to_bytes_with(&mut strings).expect("well formed");
    let (_, table) = Btf::parse_with_strings(&bytes).expect("readable");
    assert_eq!(table.get(main), Some("main.go"));
    let count = bytes.windows(5).filter(|w| w == b"ring\0").count();
    assert_eq!(count, 1);
}

#[test]
fn names_that_would_cost_all_btf_are_refused() {
    for good in ["x", "_x9", "runtime.chanrecv2.u32.16", ".L1"] {
        assert!(is_valid_name(good), "{good}");
    }
    for bad in ["", "9x", "chan<u32>", "a b", "a-b", "ü", "a:b", &"x".repeat(128)] {
        assert!(!is_valid_name(bad), "{bad}");
        let mut btf = Btf::new();
        let id = btf.function(bad, Linkage::Static, TypeId::VOID, vec![]);
        assert_eq!(btf.to_bytes(), Err(BtfError::BadName { id, name: bad.into() }));
    }
}

#[test]
fn references_out_of_range_and_reserved_ids_are_refused() {
    let mut btf = Btf::new();
    let id = btf.pointer(TypeId(7));
    let last = id;
    assert_eq!(btf.to_bytes(), Err(BtfError::DanglingReference { id, target: TypeId(7), last }));
    let mut btf = Btf::new();
    let id = btf.reserve();
    assert_eq!(btf.to_bytes(), Err(BtfError::Undefined { id }));
}

#[test]
fn sizes_look_through_names_and_stop_in_cycles() {
    let mut btf = Btf::new();
    let u16_ = btf.int("unsigned short", 2, IntEncoding::Unsigned);
    let row = btf.array(u16_, 5);
    let table = btf.array(row, 3);
    let alias = btf.add(Type::Typedef { name: "t".into(), target: table });
    assert_eq!(btf.size_of(alias), Ok(30));
    assert_eq!(btf.size_of(TypeId::VOID), Err(BtfError::Unsized { id: TypeId::VOID }));
    let ring = btf.reserve();
    btf.define(ring, Type::Const { target: ring });
    assert_eq!(btf.size_of(ring), Err(BtfError::Unsized { id: ring }));
    let own = btf.reserve();
    btf.define(own, Type::Array { element: own, index: u16_, count: 2 });
    assert!(btf.size_of(own).is_err());
}

#[test]
fn every_truncation_is_an_error_with_a_place() {
    let bytes = sample().to_bytes().expect("well formed");
    for len in 0..bytes.len() {
        assert!(matches!(Btf::parse(&bytes[..len]), Err(BtfError::Malformed { .. })), "{len} bytes");
    }
}

#[test]
fn ext_tables_survive_the_round_trip() {
    let mut strings = Strings::new();
    let (file, text) = (strings.intern("a.go"), strings.intern("x := <-ch"));
    let line_column = ext::pack_line_column(12, 3);
    let lines = vec![ext::LineInfo { offset: 0, file, text, line_column }];
    let functions = vec![ext::FuncInfo { offset: 0, ty: TypeId(1) }];
    let section = ext::SectionInfo { section: "xdp".into(), functions, lines };
    let tables = ext::BtfExt { sections: vec![section], core_relocations: 0 };
    let ext_bytes = tables.to_bytes(&mut strings);
    let btf_bytes = sample().to_bytes_with(&mut strings).expect("well formed");
    let (_, table) = Btf::parse_with_strings(&btf_bytes).expect("readable");
    assert_eq!(ext::BtfExt::parse(&ext_bytes, table), Ok(tables));
    for len in 0..ext_bytes.len() {
        assert!(ext::BtfExt::parse(&ext_bytes[..len], table).is_err(), "{len} bytes");
    }
}

#[test]
fn a_column_that_does_not_fit_is_unknown_rather_than_wrong() {
    assert_eq!(ext::pack_line_column(7, 5), 7 << 10 | 5);
    assert_eq!(ext::pack_line_column(7, 1024), 7 << 10);
    assert_eq!(ext::pack_line_column(1 << 22, 1), 1);
}
