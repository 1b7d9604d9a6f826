//! Numbers packed into bytes, and the checksum that tells whether a bit of them was turned: what
//! pages and runs are made of. Whatever the bytes are, reading them never panics.

/// Bytes that are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the packed bytes are damaged")]
pub struct Damaged;

/// Appends a number, seven bits to a byte, the lowest first: small ones are short.
pub(crate) fn put_number(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    to.push(low_byte(number));
}

/// Appends a signed number: those near zero are short.
pub(crate) fn put_signed(to: &mut Vec<u8>, number: i64) {
    put_number(to, (number << 1 ^ number >> 63).cast_unsigned());
}

const fn low_byte(number: u64) -> u8 {
    (number & 0xFF) as u8
}

/// What is left to be read.
#[derive(Debug, Clone)]
pub(crate) struct Unpack<'b>(pub(crate) &'b [u8]);

impl<'b> Unpack<'b> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            // The tenth byte has room for one bit only.
            if shift == 63 && bits > 1 {
                return Err(Damaged);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Damaged> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ (number & 1).cast_signed().wrapping_neg())
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'b [u8], Damaged> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Bytes whose number stands before them.
    pub(crate) fn counted(&mut self) -> Result<&'b [u8], Damaged> {
        let length = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        self.bytes(length)
    }
}

/// CRC-32 (IEEE 802.3), as it is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checksum(u32);

impl Checksum {
    pub(crate) const fn new() -> Self {
        Self(!0)
    }

    /// Eight bytes at a time: a page is as often checked as it is read.
    #[expect(clippy::indexing_slicing, reason = "a byte as the place in 256")]
    pub(crate) fn feed(mut self, bytes: &[u8]) -> Self {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            let sum = u64::from(self.0) ^ u64::from_le_bytes(*eight);
            let at = sum.to_le_bytes().map(usize::from);
            self.0 = t7[at[0]] ^ t6[at[1]] ^ t5[at[2]] ^ t4[at[3]];
            self.0 ^= t3[at[4]] ^ t2[at[5]] ^ t1[at[6]] ^ t0[at[7]];
        }
        for byte in rest {
            let place = usize::from(low_byte(u64::from(self.0)) ^ byte);
            self.0 = self.0 >> 8 ^ t0[place];
        }
        self
    }

    pub(crate) const fn bytes(self) -> [u8; 4] {
        (!self.0).to_le_bytes()
    }
}

/// Appends the checksum of `head` and of all that `to` holds.
pub(crate) fn seal(to: &mut Vec<u8>, head: Checksum) {
    let sum = head.feed(to).bytes();
    to.extend(sum);
}

/// What was sealed, if it and its head are as they were.
pub(crate) fn unseal(bytes: &[u8], head: Checksum) -> Result<&[u8], Damaged> {
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Damaged)?;
    (head.feed(body).bytes() == *sum).then_some(body).ok_or(Damaged)
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "bounded by the loops, computed when the program is compiled"
)]
static TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = rest >> 1 ^ if rest & 1 == 1 { 0xEDB8_8320 } else { 0 };
            bit += 1;
        }
        tables[0][byte] = rest;
        byte += 1;
    }
    // What a byte comes to when so many bytes follow it.
    let mut after = 1;
    while after < 8 {
        byte = 0;
        while byte < 256 {
            let before: u32 = tables[after - 1][byte];
            tables[after][byte] = before >> 8 ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        after += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        let sum = 0xCBF4_3926_u32.to_le_bytes();
        assert_eq!(Checksum::new().feed(b"123456789").bytes(), sum);
        let by_one = b"123456789".iter().fold(Checksum::new(), |sum, byte| sum.feed(&[*byte]));
        assert_eq!(by_one.bytes(), sum);
    }

    #[test]
    fn a_number_too_long_is_damaged() {
        for bytes in [&[][..], &[0x80], &[0xFF; 10], &[0x80; 11]] {
            assert_eq!(Unpack(bytes).number(), Err(Damaged), "{bytes:?}");
        }
        let greatest = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1];
        assert_eq!(Unpack(&greatest).number(), Ok(u64::MAX));
    }

    proptest! {
        #[test]
        fn numbers_survive(number: i64, other: u64) {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, number);
            put_number(&mut bytes, other);
            let mut read = Unpack(&bytes);
            prop_assert_eq!((read.signed(), read.number()), (Ok(number), Ok(other)));
            prop_assert!(read.is_empty());
        }
    }
}
