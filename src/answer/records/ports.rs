//! Sets of port numbers.

/// Words of a set.
const WORDS: usize = 1024;

/// Port numbers, each once, on the stack: a service may have thousands, and no set of them is compared
/// number by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::answer) struct Ports([u64; WORDS]);

impl FromIterator<u16> for Ports {
    fn from_iter<I: IntoIterator<Item = u16>>(numbers: I) -> Self {
        let mut words = [0; WORDS];
        for number in numbers {
            if let Some(word) = words.get_mut(usize::from(number / 64)) {
                *word |= 1 << (number % 64);
            }
        }
        Self(words)
    }
}

impl IntoIterator for Ports {
    type Item = u16;
    type IntoIter = Ascending;

    fn into_iter(self) -> Ascending {
        Ascending {
            left: self,
            word: 0,
        }
    }
}

/// The numbers of a set, ascending.
#[derive(Debug, Clone)]
pub(in crate::answer) struct Ascending {
    /// Those that are yet to come.
    left: Ports,
    /// The first word that may have one.
    word: u16,
}

impl Iterator for Ascending {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        loop {
            let word = self.left.0.get_mut(usize::from(self.word))?;
            if *word == 0 {
                self.word += 1;
                continue;
            }
            let bit = word.trailing_zeros();
            *word &= *word - 1;
            return Some(self.word * 64 + u16::try_from(bit).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_once_and_ascending() {
        let ports: Ports = [80, 443, 0, 80, 65_535, 64, 63].into_iter().collect();
        let numbers: Vec<_> = ports.clone().into_iter().collect();
        assert_eq!(numbers, [0, 63, 64, 80, 443, 65_535]);
        assert_eq!(ports, numbers.into_iter().rev().collect());
        assert_eq!(Ports::from_iter([]).into_iter().next(), None);
    }
}
