use larrow_backend_bpf::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let level: u8 = std::env::args().nth(2).unwrap().parse().unwrap();
    let source = std::fs::read_to_string(&path).unwrap();
    let mut module = match larrow_ir::text::parse(&path, &source) {
        Ok(p) => p.module,
        Err(e) => {
            for e in e {
                eprintln!("{e} {:?} {:?}", e.span, e.help);
            }
            std::process::exit(1)
        }
    };
    if let Err(e) = larrow_ir::verify(&module) {
        eprintln!("{}", larrow_ir::verify::render(&module, &e));
        std::process::exit(1)
    }
    let isa: isa::Isa = std::env::args().nth(3).unwrap_or("v3".into()).parse().unwrap();
    let target = TargetOptions { stages: true, isa, ..TargetOptions::default() };
    let pipeline = target::pipeline(&target);
    let mut o = larrow_passes::Options::checked(level, 1);
    o.shuffle = None;
    o.hooks = std::env::var("NOHOOKS").is_err();
    let out = target::compile(&mut module, &pipeline, &o, &target, None, &mut []);
    let out = match out {
        Ok(o) => o,
        Err(e) => {
            eprintln!("{}", larrow_ir::verify::render(&module, &e));
            for e in e {
                eprintln!("{e} {:?}", e.help);
            }
            std::process::exit(1)
        }
    };
    if std::env::var("IR").is_ok() {
        println!("{}", larrow_ir::text::print(&module));
    }
    for f in &out.compiled.funcs {
        println!("== {} frame {}\n{}", f.name, f.frame, f.stages.last().unwrap().text);
    }
    std::fs::write("/tmp/out.o", &out.bytes).unwrap();
}
