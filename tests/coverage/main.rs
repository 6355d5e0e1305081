//! How often nominal 95 % intervals hold the truth, by simulation. Short here, since every run of
//! the tests makes it; the long form prints a table of all scenarios, which
//! `docs/reference/statistics/coverage.md` explains.
//!
//! Seeds are fixed, so a run is repeatable. An interval fails when so few replicates hold the
//! truth that coverage of 94 % (decision C16) would give as few in one of a thousand runs.
//!
//! From: laws with a known truth.
//! To: nothing; the long form prints its table.

mod law;
mod pools;
mod sites;
mod table;

use table::{Line, Table};

/// Replicates of each scenario in the short form and in the long one.
struct Effort {
    sites: usize,
    pools: usize,
}

const SHORT: Effort = Effort {
    sites: 80,
    pools: 200,
};
const LONG: Effort = Effort {
    sites: 1000,
    pools: 4000,
};

/// Two threads share the scenarios: they are independent and each has a seed of its own.
fn run(jobs: Vec<Box<dyn Fn() -> Vec<Line> + Send>>) -> Table {
    let parts = jobs.len().div_ceil(2);
    let mut halves = jobs.into_iter();
    let first: Vec<_> = halves.by_ref().take(parts).collect();
    let second: Vec<_> = halves.collect();
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(move || second.iter().flat_map(|job| job()).collect::<Vec<Line>>());
        let own: Vec<Line> = first.iter().flat_map(|job| job()).collect();
        (own, other.join().expect("a simulation panicked"))
    });
    Table::new(first.into_iter().chain(second).collect())
}

#[test]
fn intervals_of_one_site_cover() {
    let jobs = sites::scenarios()
        .into_iter()
        .filter(|scenario| scenario.short)
        .map(|scenario| -> Box<dyn Fn() -> Vec<Line> + Send> {
            Box::new(move || sites::simulate(&scenario, SHORT.sites))
        });
    run(jobs.collect()).demand();
}

#[test]
fn intervals_of_pools_cover() {
    let jobs = pools::scenarios()
        .into_iter()
        .filter(|scenario| scenario.short)
        .map(|scenario| -> Box<dyn Fn() -> Vec<Line> + Send> {
            Box::new(move || pools::simulate(&scenario, SHORT.pools))
        });
    run(jobs.collect()).demand();
}

/// The gate can fail: intervals of 80 % are seen as such.
#[test]
fn intervals_that_are_too_narrow_are_found() {
    let narrow = pools::too_narrow(SHORT.pools);
    assert!(narrow.iter().all(|line| line.fails()), "{narrow:?}");
}

/// `FEDVAL_LONG=1 cargo test -p fedval-tests --test coverage long -- --nocapture`
#[test]
fn long_form() {
    if std::env::var("FEDVAL_LONG").as_deref() != Ok("1") {
        return;
    }
    let mut jobs: Vec<Box<dyn Fn() -> Vec<Line> + Send>> = Vec::new();
    // Taken alternately, so that both threads have of both.
    let (mut sites, mut pools) = (
        sites::scenarios().into_iter(),
        pools::scenarios().into_iter(),
    );
    loop {
        let (site, pool) = (sites.next(), pools.next());
        if site.is_none() && pool.is_none() {
            break;
        }
        if let Some(site) = site {
            jobs.push(Box::new(move || sites::simulate(&site, LONG.sites)));
        }
        if let Some(pool) = pool {
            jobs.push(Box::new(move || pools::simulate(&pool, LONG.pools)));
        }
    }
    let table = run(jobs);
    table.print();
    table.demand();
}
