//! How many responses the clients of a network get in a second.

use ipnet::IpNet;

/// What responses are limited as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateClass {
    /// Records: for each name and type.
    Positive,
    /// A name or type that does not exist: for each apex.
    Denial,
    /// Name servers of a zone cut below an apex: for each cut.
    Referral,
    /// A response code that says that there is no answer.
    Error,
}

impl RateClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Positive, Self::Denial, Self::Referral, Self::Error];

    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Denial => "denial",
            Self::Referral => "referral",
            Self::Error => "error",
        }
    }
}

/// How many responses over UDP each network of clients gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    /// Responses in a second of each class, in the order of [`RateClass::ALL`]; 0 is without limit. At most
    /// [`RateLimits::MOST`].
    pub each: [u32; RateClass::ALL.len()],
    /// For how many hundredths of a second a client that was quiet may send at once what it may in that time.
    pub burst: u32,
    /// Every so many responses beyond a limit one is sent with TC, the others are dropped; 0 is none.
    pub slip: u8,
    /// Networks without limits.
    pub exempt: Vec<IpNet>,
    /// What is beyond a limit is counted and sent all the same.
    pub is_dry_run: bool,
}

impl RateLimits {
    /// The most responses in a second that may be set.
    pub const MOST: u32 = 1_000_000;

    /// The most seconds of [`Self::burst`].
    pub const LONGEST_BURST: u32 = 60;

    /// What holds where the configuration says nothing, with nobody exempt. Errors are as small as what they
    /// answer, and who is behind the same forwarder as an attacker would take us to be down.
    pub fn usual() -> Self {
        Self {
            each: [200, 200, 200, 0],
            burst: 250,
            slip: 2,
            exempt: Vec::new(),
            is_dry_run: false,
        }
    }

    /// Responses in a second of a class; 0 is without limit.
    #[inline]
    pub fn of(&self, class: RateClass) -> u32 {
        let [positive, denial, referral, error] = self.each;
        match class {
            RateClass::Positive => positive,
            RateClass::Denial => denial,
            RateClass::Referral => referral,
            RateClass::Error => error,
        }
    }
}

impl Default for RateLimits {
    /// No limit at all.
    fn default() -> Self {
        Self {
            each: [0; RateClass::ALL.len()],
            ..Self::usual()
        }
    }
}
