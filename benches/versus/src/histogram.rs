//! Latencies in buckets of a 32nd of a power of two: every figure is right to three percent.

/// Buckets to each power of two.
const PARTS: usize = 32;

/// Counts of nanoseconds.
pub struct Histogram {
    /// One count for each bucket.
    counts: Vec<u64>,
    /// The largest value.
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; 64 * PARTS],
            max: 0,
        }
    }
}

impl Histogram {
    /// Counts one latency in nanoseconds.
    #[inline]
    pub fn add(&mut self, nanos: u64) {
        let value = nanos.max(PARTS as u64);
        let power = value.ilog2() as usize;
        let part = (value >> (power - 5)) as usize & (PARTS - 1);
        self.counts[power * PARTS + part] += 1;
        self.max = self.max.max(nanos);
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The latency that this share of all stays within, in microseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = share * self.total() as f64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen as f64 >= wanted {
                let (power, part) = (bucket / PARTS, (bucket % PARTS) as u64);
                let low = (1u64 << power) + (part << (power - 5));
                return low as f64 / 1e3;
            }
        }
        0.0
    }

    /// The largest latency, in microseconds.
    pub fn max(&self) -> f64 {
        self.max as f64 / 1e3
    }
}

/// Latencies of one stretch of time after the other. The host's other guests stop this machine for
/// milliseconds, some times a second: that fills a percentile of the whole time, and those of
/// stretches that it spared say what the server does.
#[derive(Default)]
pub struct Stretches {
    /// The stretch that is counted.
    current: Histogram,
    /// Its number.
    number: u64,
    /// 99th percentiles of those before, in microseconds.
    percentiles: Vec<f64>,
}

impl Stretches {
    /// How long each is, in nanoseconds.
    const LENGTH: u64 = 20_000_000;

    /// Counts one latency that was seen at `now`, both in nanoseconds.
    #[inline]
    pub fn add(&mut self, now: u64, nanos: u64) {
        if now / Self::LENGTH != self.number {
            self.close();
            self.number = now / Self::LENGTH;
        }
        self.current.add(nanos);
    }

    /// Ends the current one.
    fn close(&mut self) {
        let ended = std::mem::take(&mut self.current);
        if ended.total() > 0 {
            self.percentiles.push(ended.quantile(0.99));
        }
    }

    /// The median of their 99th percentiles, in microseconds.
    pub fn median(mut self) -> f64 {
        self.close();
        self.percentiles.sort_by(f64::total_cmp);
        let middle = self.percentiles.len() / 2;
        self.percentiles.get(middle).copied().unwrap_or_default()
    }
}
