//! Packets to run programs on: Ethernet, IPv4, TCP and UDP headers with their checksums.
//!
//! ```
//! let bytes = larrow::packet::Packet::tcp(40000, 443).payload(b"hi").bytes();
//! assert_eq!(bytes.len(), 14 + 20 + 20 + 2);
//! assert_eq!(&bytes[36..38], &443u16.to_be_bytes());
//! ```

/// What stands above IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// TCP, 20 bytes of header, the SYN flag set.
    Tcp,
    /// UDP, 8 bytes of header.
    Udp,
}

impl Transport {
    /// The protocol's number in IPv4's header.
    pub fn number(self) -> u8 {
        match self {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        }
    }
}

/// An Ethernet frame with an IPv4 packet in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Packet {
    /// The destination's and the source's hardware address.
    pub mac: [[u8; 6]; 2],
    /// The source's and the destination's address.
    pub addresses: [[u8; 4]; 2],
    /// The source's and the destination's port.
    pub ports: [u16; 2],
    /// What stands above IPv4.
    pub transport: Transport,
    /// What stands above that.
    pub payload: Vec<u8>,
}

impl Packet {
    /// A TCP packet from 10.0.0.1 to 10.0.0.2.
    pub fn tcp(source: u16, destination: u16) -> Packet {
        Packet::new(Transport::Tcp, source, destination)
    }
    /// A UDP packet from 10.0.0.1 to 10.0.0.2.
    pub fn udp(source: u16, destination: u16) -> Packet {
        Packet::new(Transport::Udp, source, destination)
    }
    fn new(transport: Transport, source: u16, destination: u16) -> Packet {
        Packet {
            mac: [[2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]],
            addresses: [[10, 0, 0, 1], [10, 0, 0, 2]],
            ports: [source, destination],
            transport,
            payload: Vec::new(),
        }
    }
    /// With a payload.
    #[must_use]
    pub fn payload(mut self, bytes: &[u8]) -> Packet {
        self.payload = bytes.to_vec();
        self
    }
    /// With addresses.
    #[must_use]
    pub fn between(mut self, source: [u8; 4], destination: [u8; 4]) -> Packet {
        self.addresses = [source, destination];
        self
    }

    /// The frame. A payload that does not fit into IPv4's 16-bit length is cut.
    pub fn bytes(&self) -> Vec<u8> {
        let segment = self.segment();
        let mut out = Vec::with_capacity(34 + segment.len());
        out.extend(self.mac.concat());
        out.extend([0x08, 0x00]);
        let mut header = vec![0x45, 0];
        header.extend(((20 + segment.len()) as u16).to_be_bytes());
        // Identification 0, do not fragment, 64 hops, and the checksum to come.
        header.extend([0, 0, 0x40, 0, 64, self.transport.number(), 0, 0]);
        header.extend(self.addresses.concat());
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        out.extend(header);
        out.extend(segment);
        out
    }

    /// The transport header with its checksum, and the payload.
    fn segment(&self) -> Vec<u8> {
        let mut out = self.ports.map(u16::to_be_bytes).concat();
        let (checksum_at, header) = match self.transport {
            Transport::Tcp => {
                // Sequence and acknowledgement 0, five words of header, SYN, the largest window.
                out.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
                (16, 20)
            }
            Transport::Udp => (6, 8),
        };
        let payload = &self.payload[..self.payload.len().min(usize::from(u16::MAX) - 20 - header)];
        if self.transport == Transport::Udp {
            out.extend(((header + payload.len()) as u16).to_be_bytes());
            out.extend([0, 0]);
        }
        out.extend(payload);
        let mut pseudo = self.addresses.concat();
        pseudo.extend([0, self.transport.number()]);
        pseudo.extend((out.len() as u16).to_be_bytes());
        pseudo.extend(&out);
        let sum = match (self.transport, checksum(&pseudo)) {
            // In UDP a zero says that there is no checksum.
            (Transport::Udp, 0) => 0xffff,
            (Transport::Tcp | Transport::Udp, sum) => sum,
        };
        out[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_be_bytes());
        out
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_over_what_carries_its_checksum_is_zero() {
        let packet = Packet::tcp(1, 2).payload(b"odd").bytes();
        assert_eq!(checksum(&packet[14..34]), 0);
        let length = (packet.len() - 34) as u16;
        let pseudo = [&packet[26..34], &[0, 6], &length.to_be_bytes(), &packet[34..]].concat();
        assert_eq!(checksum(&pseudo), 0);
    }

    #[test]
    fn lengths_are_those_of_the_headers() {
        let udp = Packet::udp(53, 5353).payload(&[0; 5]).bytes();
        assert_eq!(udp.len(), 14 + 20 + 8 + 5);
        assert_eq!(&udp[16..18], &33u16.to_be_bytes());
        assert_eq!(&udp[38..40], &13u16.to_be_bytes());
        assert!(Packet::tcp(1, 2).payload(&vec![0; 70_000]).bytes().len() <= 14 + 65_535);
    }
}
