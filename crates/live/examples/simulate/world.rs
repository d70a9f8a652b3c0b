//! Traffic of unchanged and of changed features, minute by minute, and the library's own verdict on it.
//!
//! Rows are distinct entities. A minute is drawn as counts of classes, and the bounds of samples are drawn with it: a row
//! whose hash is too large for a window is not in it. Windows are exact to the minute here, where the library's longer
//! ones begin with a quarter of an hour.

use std::collections::VecDeque;

use streamflow_live::{Alarms, BLOCK_MINUTES, FeatureReference, Judge, Limits, Reference, Window};
use streamflow_stats::norm_sf;

/// Features of the simulations.
pub const FEATURES: usize = 16;
const REFERENCE_ROWS: usize = 7_043;
const DAY: i64 = 1440;
/// Bounds of the library: entities of a minute, of a block on its first day and later, of a window.
const MINUTE_ENTITIES: f64 = 600.0;
const BLOCK_ENTITIES: [f64; 2] = [2048.0, 1024.0];
const WINDOW_ENTITIES: f64 = 8192.0;

/// A generator whose algorithm is its name: SplitMix64.
pub struct Random(pub u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        // Box and Muller.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0.0);
        while product > limit {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }
}

/// How a feature's live values differ from those of the reference, in its standard deviations.
#[derive(Clone, Copy)]
pub struct Change {
    pub shift: f64,
    pub scale: f64,
}

/// No change.
pub const NONE: Change = Change { shift: 0.0, scale: 1.0 };

/// How a feature is distributed in the population.
enum Population {
    Normal { missing: f64 },
    Categories(Vec<f64>),
}

struct Feature {
    population: Population,
    edges: Vec<f64>,
}

impl Feature {
    /// The probabilities of the classes, missing last, as running sums.
    fn running(&self, change: Change) -> Vec<f64> {
        let mut sums = Vec::with_capacity(24);
        match &self.population {
            Population::Normal { missing } => {
                let below = |edge: f64| (1.0 - missing) * norm_sf(-(edge - change.shift) / change.scale);
                sums.extend(self.edges.iter().map(|&edge| below(edge)));
                sums.push(1.0 - missing);
            }
            Population::Categories(shares) => {
                // One class for others, and one for missing, neither of which occurs.
                let mut sum = 0.0;
                sums.extend(shares.iter().map(|share| {
                    sum += share;
                    sum
                }));
                sums.push(sum);
            }
        }
        sums.push(1.0);
        sums
    }
}

/// Draws a class by running sums.
fn draw(running: &[f64], random: &mut Random) -> usize {
    let u = random.uniform();
    running.iter().filter(|sum| **sum <= u).count().min(running.len() - 1)
}

/// A reference of random rows, and its thresholds.
pub struct World {
    features: Vec<Feature>,
    reference: Reference,
    judge: Judge,
    rate: f64,
    /// Amplitude of a daily swing of the mean, in standard deviations.
    swing: f64,
}

impl World {
    /// Twelve features of numbers, three of them with missing values, and four of categories.
    pub fn new(rate: f64, swing: f64, random: &mut Random) -> Self {
        let mut features = Vec::new();
        let mut columns = Vec::new();
        for at in 0..FEATURES {
            let name = format!("feature_{at}");
            let population = match at {
                12 => Population::Categories(vec![0.7, 0.3]),
                13 => Population::Categories(vec![0.5, 0.3, 0.2]),
                14 => Population::Categories(vec![0.05; 20]),
                15 => Population::Categories(
                    (1..=15).map(|rank| 1.0 / f64::from(rank) / 3.318_228_99).collect(),
                ),
                9..12 => Population::Normal { missing: 0.02 },
                _ => Population::Normal { missing: 0.0 },
            };
            let (column, edges) = sampled(name, &population, random);
            columns.push(column);
            features.push(Feature { population, edges });
        }
        let reference = Reference::new(columns, vec![]);
        let judge = Judge::new(&reference, &Limits::default());
        Self { features, reference, judge, rate, swing }
    }

    fn change_at(&self, minute: i64, change: Change) -> Change {
        let of_day = minute.rem_euclid(DAY) as f64 / DAY as f64;
        Change { shift: change.shift + self.swing * (std::f64::consts::TAU * of_day).sin(), ..change }
    }
}

fn sampled(name: String, population: &Population, random: &mut Random) -> (FeatureReference, Vec<f64>) {
    match population {
        Population::Normal { missing } => {
            let mut value = || if random.uniform() < *missing { f64::NAN } else { random.normal() };
            let column = FeatureReference::numerical(name, (0..REFERENCE_ROWS).map(|_| value()).collect());
            let streamflow_live::Classes::Numbers { edges } = &column.classes else { unreachable!() };
            let edges = edges.clone();
            (column, edges)
        }
        Population::Categories(shares) => {
            let running: Vec<f64> = shares
                .iter()
                .scan(0.0, |sum, share| {
                    *sum += share;
                    Some(*sum)
                })
                .collect();
            let mut counts = vec![0; shares.len()];
            (0..REFERENCE_ROWS).for_each(|_| counts[draw(&running, random)] += 1);
            let names: Vec<String> = (0..shares.len()).map(|at| format!("{at:02}")).collect();
            let rows = names.iter().map(String::as_str).zip(counts);
            (FeatureReference::categorical(name, rows, 0), Vec::new())
        }
    }
}

/// Counts by class, all features one after the other.
type Counts = Vec<u64>;

/// A sliding sum of minutes.
struct Sliding {
    minutes: VecDeque<(u64, Vec<u16>)>,
    length: usize,
    rows: u64,
    sums: Counts,
}

impl Sliding {
    fn push(&mut self, rows: u64, counts: Vec<u16>) {
        self.rows += rows;
        self.sums.iter_mut().zip(&counts).for_each(|(sum, more)| *sum += u64::from(*more));
        self.minutes.push_back((rows, counts));
        if self.minutes.len() > self.length
            && let Some((rows, counts)) = self.minutes.pop_front()
        {
            self.rows -= rows;
            self.sums.iter_mut().zip(&counts).for_each(|(sum, less)| *sum -= u64::from(*less));
        }
    }
}

/// The traffic of some features of a world, and their alarms.
pub struct Traffic<'a> {
    world: &'a World,
    features: std::ops::Range<usize>,
    ends: Vec<usize>,
    windows: [Sliding; 4],
    /// Shares of the rows of a minute that each window keeps, by their bounds.
    kept: [f64; 4],
    /// The same of the blocks of days before, and these blocks.
    kept_before: [f64; 3],
    blocks: VecDeque<[Counts; 3]>,
    open_block: [Counts; 3],
    before: Option<[Counts; 3]>,
    alarms: Alarms,
    detected: Vec<bool>,
    now: i64,
}

impl<'a> Traffic<'a> {
    pub fn new(world: &'a World, features: std::ops::Range<usize>) -> Self {
        let shape = world.reference.shape();
        let mut end = 0;
        let ends: Vec<usize> = shape[features.clone()]
            .iter()
            .map(|classes| {
                end += classes;
                end
            })
            .collect();
        let a_minute = (60.0 * world.rate).min(MINUTE_ENTITIES);
        let a_block = 15.0 * a_minute;
        let least = |bounds: &[(f64, f64)]| {
            // What is left after each bound, applied one after the other.
            bounds.iter().fold(1.0_f64, |share, (rows, most)| share * (most / (rows * share)).min(1.0))
        };
        let kept = [
            least(&[(15.0 * a_minute, WINDOW_ENTITIES)]),
            least(&[(60.0 * a_minute, WINDOW_ENTITIES)]),
            least(&[(a_block, BLOCK_ENTITIES[0]), (360.0 * a_minute, WINDOW_ENTITIES)]),
            least(&[(a_block, BLOCK_ENTITIES[0]), (1440.0 * a_minute, WINDOW_ENTITIES)]),
        ];
        let kept_before = [2.0, 5.0, 25.0]
            .map(|blocks| least(&[(a_block, BLOCK_ENTITIES[1]), (7.0 * blocks * a_block, WINDOW_ENTITIES)]));
        let sliding = |window: Window| Sliding {
            minutes: VecDeque::new(),
            length: window.minutes() as usize,
            rows: 0,
            sums: vec![0; end],
        };
        let none = || [(); 3].map(|()| vec![0; end]);
        Self {
            world,
            detected: vec![false; features.len()],
            features,
            windows: Window::ALL.map(sliding),
            ends,
            kept,
            kept_before,
            blocks: VecDeque::new(),
            open_block: none(),
            before: None,
            alarms: Alarms::default(),
            now: -1,
        }
    }

    /// Draws the next minute.
    pub fn advance(&mut self, change: Change, random: &mut Random) {
        self.now += 1;
        let rows = random.poisson(60.0 * self.world.rate).min(MINUTE_ENTITIES) as usize;
        let width = *self.ends.last().expect("a feature");
        let mut counts = [(); 4].map(|()| vec![0_u16; width]);
        // A row's hash decides which windows keep it.
        let places: Vec<f64> = (0..rows).map(|_| random.uniform()).collect();
        let change = self.world.change_at(self.now, change);
        let mut start = 0;
        for (feature, end) in self.features.clone().zip(self.ends.clone()) {
            let running = self.world.features[feature].running(change);
            for &place in &places {
                let class = start + draw(&running, random);
                let kept = self.kept.iter().zip(&mut counts);
                kept.filter(|(kept, _)| place < **kept).for_each(|(_, counts)| counts[class] += 1);
                let kept = self.kept_before.iter().zip(&mut self.open_block);
                kept.filter(|(kept, _)| place < **kept).for_each(|(_, counts)| counts[class] += 1);
            }
            start = end;
        }
        for ((window, counts), kept) in self.windows.iter_mut().zip(counts).zip(self.kept) {
            window.push(places.iter().filter(|place| **place < kept).count() as u64, counts);
        }
        if (self.now + 1) % BLOCK_MINUTES == 0 {
            let none = [(); 3].map(|()| vec![0; width]);
            self.blocks.push_back(std::mem::replace(&mut self.open_block, none));
            if self.blocks.len() > 8 * 96 {
                self.blocks.pop_front();
            }
            self.before = self.same_clock_time();
        }
    }

    /// The blocks of the same clock time of the last seven days, for the block that begins.
    fn same_clock_time(&self) -> Option<[Counts; 3]> {
        if self.now < 7 * DAY {
            return None;
        }
        let now = self.blocks.len() as i64;
        let width = self.open_block[0].len();
        let mut sums = [(); 3].map(|()| vec![0; width]);
        for (at, (sum, blocks)) in sums.iter_mut().zip([1_i64, 4, 24]).enumerate() {
            for day in 1..=7 {
                let end = now - day * 96;
                for block in (end - blocks).max(0)..=end.max(0) {
                    let counts = &self.blocks[block as usize][at];
                    sum.iter_mut().zip(counts).for_each(|(sum, more)| *sum += more);
                }
            }
        }
        Some(sums)
    }

    /// Judges all windows; how many features have begun to be detected in this minute.
    pub fn look(&mut self) -> usize {
        let mut begun = 0;
        let mut start = 0;
        for (at, feature) in self.features.clone().enumerate() {
            let end = self.ends[at];
            let column = &self.world.reference.columns()[feature];
            let mut is_detected = false;
            for (sliding, window) in self.windows.iter().zip(Window::ALL) {
                if sliding.rows < self.world.judge.min_entities {
                    continue;
                }
                let before = self.before.as_ref().and_then(|before| before.get(window as usize));
                let basis = before.map_or(&column.counts[..], |before| &before[start..end]);
                let live = &sliding.sums[start..end];
                for judged in self.world.judge.judge(window, feature, column.is_numerical(), basis, live) {
                    let name = format!("{} {feature}", judged.measured.kind.name());
                    is_detected |= self.alarms.update(window, &name, self.now, &judged).is_some();
                }
            }
            begun += usize::from(is_detected && !self.detected[at]);
            self.detected[at] = is_detected;
            start = end;
        }
        begun
    }
}

/// False alarms of all features in `days` of unchanged traffic, after `quiet` days that are not judged.
pub fn false_alarms(rate: f64, swing: f64, quiet: i64, days: i64, random: &mut Random) -> usize {
    let world = World::new(rate, swing, random);
    let mut traffic = Traffic::new(&world, 0..FEATURES);
    let mut alarms = 0;
    for minute in 0..(quiet + days) * DAY {
        traffic.advance(NONE, random);
        if minute >= quiet * DAY {
            alarms += traffic.look();
        }
    }
    alarms
}

/// Minutes from a change of one feature of sixteen to its alarm; none within `horizon` minutes. Of a traffic with a
/// swing the change comes at a random minute of the eighth day.
pub fn delay(rate: f64, swing: f64, change: Change, horizon: i64, random: &mut Random) -> Option<i64> {
    let world = World::new(rate, swing, random);
    let mut traffic = Traffic::new(&world, 0..1);
    let quiet = if swing > 0.0 { 7 * DAY + 60 + (random.uniform() * 1140.0) as i64 } else { DAY };
    (0..quiet).for_each(|_| traffic.advance(NONE, random));
    (1..=horizon).find(|_| {
        traffic.advance(change, random);
        traffic.look() > 0
    })
}
