//! Random values that are always the same, and ids as systems make them.

/// Numbers of one seed (splitmix64).
pub(crate) struct Random(u64);

pub(crate) const ALPHANUMERIC: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
pub(crate) const HEX: &[u8] = b"0123456789abcdef";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: &[u8] = b"0123456789";

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(7))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(self.pick(alphabet))).collect()
    }

    /// An id, a hash or a number, of a kind that bodies are full of.
    pub(crate) fn id(&mut self) -> String {
        match self.below(16) {
            0 | 1 => {
                let it = self.text(HEX, 32);
                format!(
                    "{}-{}-4{}-a{}-{}",
                    &it[..8],
                    &it[8..12],
                    &it[13..16],
                    &it[17..20],
                    &it[20..]
                )
            }
            2 => self.text(HEX, 64),
            3 => self.text(HEX, 40),
            4 => self.text(HEX, 32),
            5 => self.base64(16, "=="),
            6 => self.base64(32, "="),
            7 => (175_928_847_299_117_063 + self.next() % 1_800_000_000_000_000_000).to_string(),
            8 => format!("01{}", self.text(CROCKFORD, 24)),
            9 => self.text(HEX, 7),
            10 => {
                let length = 8 + self.below(16);
                format!("_{}${}", self.text(ALPHANUMERIC, 3), self.text(ALPHANUMERIC, length))
            }
            11 => (1_600_000_000_000 + self.next() % 300_000_000_000).to_string(),
            12 => {
                let length = 6 + self.below(7);
                self.text(DIGITS, length)
            }
            13 => format!("ORD-{}-{}", 2015 + self.below(12), self.text(DIGITS, 7)),
            14 => self.text(ALPHANUMERIC, 22),
            _ => format!(
                "{}_{}",
                self.pick(&["msg", "req", "call", "evt", "toolu"]),
                self.text(ALPHANUMERIC, 24)
            ),
        }
    }

    /// Of so many random bytes.
    fn base64(&mut self, bytes: usize, padding: &str) -> String {
        let length = (bytes * 4).div_ceil(3);
        format!("{}{padding}", self.text(BASE64, length))
    }
}
