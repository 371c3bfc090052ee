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
