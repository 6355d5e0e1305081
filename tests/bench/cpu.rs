//! Processor time of the whole process, so that what else a machine does counts little.

use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of processor time.
pub(crate) struct Cpu(WallTime);

/// Criterion with this clock, few samples of long calls, and no pictures.
pub(crate) fn criterion() -> Criterion<Cpu> {
    Criterion::default()
        .with_measurement(Cpu(WallTime))
        .sample_size(10)
        .without_plots()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(2))
        .configure_from_args()
}

fn now() -> i128 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

impl Measurement for Cpu {
    type Intermediate = i128;
    type Value = i128;

    fn start(&self) -> i128 {
        now()
    }

    fn end(&self, started: i128) -> i128 {
        now() - started
    }

    fn add(&self, one: &i128, two: &i128) -> i128 {
        one + two
    }

    fn zero(&self) -> i128 {
        0
    }

    fn to_f64(&self, value: &i128) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}
