//! Random expressions and random series, the same for the same seed.

use crate::servers::Series;

/// 2023-11-14T22:13:20Z, a multiple of ten seconds.
pub const START_MS: i64 = 1_700_000_000_000;
/// The newest sample is this long after the start.
pub const LENGTH_MS: i64 = 3_600_000;
/// Remainder of all evaluation times by ten seconds, which all durations are multiples of: so no window ends at a step
/// of a subquery.
pub const PHASE_MS: i64 = 3_000;

/// SplitMix64 (Steele, Lea, Flood 2014): a generator whose algorithm is its name, in five lines.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[usize::try_from(self.below(texts.len() as u64)).unwrap()]
    }

    /// 0 to 1.
    fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// Counters with resets, gauges, classic histograms, information, odd values, series that begin late or end early.
///
/// No sample stands at a multiple of ten milliseconds, so none at the edge of a window: there 2.42 and 3.x differ.
pub fn series(random: &mut Random) -> Vec<Series> {
    let mut series = Vec::new();
    for job in ["api", "web", "db"] {
        for instance in ["a:1", "b:1", "c:1"] {
            for code in ["200", "404", "500"] {
                let labels =
                    [("__name__", "requests_total"), ("job", job), ("instance", instance), ("code", code)];
                // Far from zero, where the extrapolation of 2.42 differs.
                let mut count = 10_000.0 + (random.share() * 1000.0).floor();
                series.push(Series::new(
                    &labels,
                    times(random, 0, 100).into_iter().map(|time| {
                        count += (random.share() * 20.0).floor();
                        if random.chance(1) {
                            count = 5_000.0 + (random.share() * 100.0).floor();
                        }
                        (time, count)
                    }),
                ));
            }
            let labels = [("__name__", "up"), ("job", job), ("instance", instance)];
            let all = times(random, 0, 100);
            series
                .push(Series::new(&labels, all.into_iter().map(|time| (time, f64::from(random.chance(90))))));
        }
        let labels =
            [("__name__", "build_info"), ("job", job), ("version", random.pick(&["1.0", "1.1", "2.0"]))];
        let all = times(random, 0, 100);
        series.push(Series::new(&labels, all.into_iter().map(|time| (time, 1.0))));
        series.extend(histogram(random, job));
    }
    for (index, room) in ["kitchen", "attic", "cellar", "hall", "garage"].into_iter().enumerate() {
        let labels = [("__name__", "temperature"), ("room", room), ("floor", random.pick(&["0", "1"]))];
        // The fourth begins late, the fifth ends early.
        let (from, to) = [(0, 100), (0, 100), (0, 100), (40, 100), (0, 60)][index];
        let mut value = random.share() * 40.0 - 10.0;
        let all = times(random, from, to);
        series.push(Series::new(
            &labels,
            all.into_iter().map(|time| {
                value += random.share() - 0.5;
                (time, value)
            }),
        ));
    }
    for (kind, values) in [
        ("mixed", [f64::NAN, 1.0, f64::INFINITY, -2.5]),
        ("negative", [f64::NEG_INFINITY, -1.0, 0.0, -0.5]),
        ("nothing", [f64::NAN, f64::NAN, f64::NAN, f64::NAN]),
    ] {
        let labels = [("__name__", "odd"), ("kind", kind)];
        let all = times(random, 0, 100);
        series.push(Series::new(
            &labels,
            all.into_iter().map(|time| (time, values[usize::try_from(random.below(4)).unwrap()])),
        ));
    }
    series
}

/// Every fifteen seconds, somewhat late, between two hundredths of the length.
fn times(random: &mut Random, from: i64, to: i64) -> Vec<i64> {
    let steps = LENGTH_MS / 15_000;
    let late = i64::try_from(random.below(1_000)).unwrap() * 10 + 1;
    (steps * from / 100..steps * to / 100).map(|step| START_MS + step * 15_000 + late).collect()
}

fn histogram(random: &mut Random, job: &str) -> Vec<Series> {
    const BOUNDS: [&str; 5] = ["0.1", "0.5", "1", "5", "+Inf"];
    let all = times(random, 0, 100);
    let mut counts = [100.0; BOUNDS.len()];
    let mut sum = 50.0;
    let mut buckets: Vec<Vec<(i64, f64)>> = vec![Vec::new(); BOUNDS.len()];
    let mut sums = Vec::new();
    for time in all {
        for _ in 0..random.below(5) {
            let first = usize::try_from(random.below(BOUNDS.len() as u64)).unwrap();
            counts[first..].iter_mut().for_each(|count| *count += 1.0);
            sum += random.share();
        }
        buckets.iter_mut().zip(counts).for_each(|(bucket, count)| bucket.push((time, count)));
        sums.push((time, sum));
    }
    let named = |name, samples| Series::new(&[("__name__", name), ("job", job)], samples);
    let mut series = vec![named("latency_seconds_count", buckets[BOUNDS.len() - 1].clone())];
    series.push(named("latency_seconds_sum", sums));
    for (bound, samples) in BOUNDS.into_iter().zip(buckets) {
        let labels = [("__name__", "latency_seconds_bucket"), ("job", job), ("le", bound)];
        series.push(Series::new(&labels, samples));
    }
    series
}

const SELECTORS: [&str; 16] = [
    "requests_total",
    "requests_total{job=\"api\"}",
    "requests_total{code!=\"200\"}",
    "requests_total{job=~\"api|web\",instance!~\"c.*\"}",
    "up",
    "up{job=\"db\"}",
    "build_info",
    "latency_seconds_bucket",
    "latency_seconds_count",
    "latency_seconds_sum",
    "temperature",
    "temperature{floor=\"0\"}",
    "{__name__=~\"temp.*|up\"}",
    "odd",
    "odd{kind!=\"nothing\"}",
    "nothing_here",
];
const RANGES: [&str; 6] = ["30s", "1m", "2m30s", "5m", "10m", "30m"];
const LABELS: [&str; 6] = ["job", "instance", "code", "room", "floor", "le"];
/// Not `%` and `^`, which make a difference in the last digit visible: those stand in [`Generator::with_scalar`].
const ARITHMETIC: [&str; 5] = ["+", "-", "*", "/", "atan2"];
pub const COMPARISON: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];
const AGGREGATIONS: [&str; 6] = ["sum", "avg", "min", "max", "count", "group"];
/// Of counters, whose values 3.x extrapolates otherwise near zero.
const COUNTERS: [&str; 5] = [
    "requests_total",
    "requests_total{job=\"api\"}",
    "requests_total{code!=\"200\"}",
    "latency_seconds_bucket",
    "latency_seconds_count",
];
const OF_COUNTERS: [&str; 3] = ["rate", "increase", "irate"];
const OVER_RANGE: [&str; 13] = [
    "delta",
    "idelta",
    "deriv",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "absent_over_time",
];
/// Of times, not of numbers that are none of this calendar: what those give depends on Go's processor.
const OF_TIMES: [&str; 7] =
    ["minute", "hour", "day_of_week", "day_of_month", "days_in_month", "month", "year"];
const OVER_INSTANT: [&str; 25] = [
    "abs",
    "ceil",
    "floor",
    "exp",
    "ln",
    "log2",
    "log10",
    "sqrt",
    "sgn",
    "round",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "deg",
    "rad",
    "absent",
    "sort",
    "sort_desc",
    "timestamp",
];

/// Makes expressions.
pub struct Generator {
    pub random: Random,
    /// Whether a subquery is being made: its steps fall on the edges of windows of another inside of it.
    in_subquery: bool,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { random: Random(seed), in_subquery: false }
    }

    /// An expression of any type, now and then one that is wrong.
    pub fn expression(&mut self) -> String {
        match self.random.below(20) {
            0 => self.scalar(2),
            1 => self.wrong(),
            _ => self.vector(3),
        }
    }

    fn selector(&mut self) -> String {
        let selector = self.random.pick(&SELECTORS);
        format!("{selector}{}", self.modifiers())
    }

    fn modifiers(&mut self) -> String {
        let mut text = String::new();
        if self.random.chance(10) {
            text.push_str(self.random.pick(&[" offset 1m", " offset 5m", " offset -2m", " offset 1h"]));
        }
        if self.random.chance(8) {
            let at = (START_MS + PHASE_MS) / 1000 + i64::try_from(self.random.below(300)).unwrap() * 10;
            text.push_str(&match self.random.below(3) {
                0 => " @ start()".to_owned(),
                1 => " @ end()".to_owned(),
                _ => format!(" @ {at}"),
            });
        }
        text
    }

    fn range_vector(&mut self, depth: usize) -> String {
        let range = self.random.pick(&RANGES);
        if depth > 0 && !self.in_subquery && self.random.chance(15) {
            self.in_subquery = true;
            let inner = self.vector(depth - 1);
            self.in_subquery = false;
            let step = self.random.pick(&["10s", "30s", "1m", ""]);
            return format!("({inner})[{range}:{step}]{}", self.modifiers());
        }
        let selector = self.random.pick(&SELECTORS);
        format!("{selector}[{range}]{}", self.modifiers())
    }

    fn number(&mut self) -> String {
        self.random.pick(&["0", "1", "2", "-1", "0.5", "10", "100", "1e3", "-2.5", "0x10"]).to_owned()
    }

    fn scalar(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.number();
        }
        match self.random.below(5) {
            0 => format!("scalar({})", self.vector(depth - 1)),
            1 => self.random.pick(&["time()", "pi()"]).to_owned(),
            2 => {
                let operator = self.random.pick(&ARITHMETIC);
                format!("({} {operator} {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
            3 => {
                let operator = self.random.pick(&COMPARISON);
                format!("({} {operator} bool {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
            _ => self.number(),
        }
    }

    fn vector(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.selector();
        }
        let below = depth - 1;
        match self.random.below(24) {
            0..=3 => self.aggregation(below),
            4..=5 => {
                let (function, counter) = (self.random.pick(&OF_COUNTERS), self.random.pick(&COUNTERS));
                let range = self.random.pick(&RANGES);
                format!("{function}({counter}[{range}]{})", self.modifiers())
            }
            // Of values that were not computed: those may differ in the last digit only.
            6 if self.random.chance(30) => {
                let (function, selector) =
                    (self.random.pick(&["changes", "resets"]), self.random.pick(&SELECTORS));
                format!("{function}({selector}[{}]{})", self.random.pick(&RANGES), self.modifiers())
            }
            6..=8 => {
                let function = self.random.pick(&OVER_RANGE);
                format!("{function}({})", self.range_vector(below))
            }
            9 if self.random.chance(30) => {
                let function = self.random.pick(&OF_TIMES);
                format!("{function}(timestamp({}))", self.selector())
            }
            9..=10 => {
                let function = self.random.pick(&OVER_INSTANT);
                format!("{function}({})", self.vector(below))
            }
            11..=13 => self.matched(below),
            14..=16 => self.with_scalar(below),
            17 => {
                let operator = self.random.pick(&["and", "or", "unless"]);
                let matching = self.matching();
                format!("({} {operator}{matching} {})", self.vector(below), self.vector(below))
            }
            18 => self.labelled(below),
            19 => self.quantile(),
            20 => format!("(-{})", self.vector(below)),
            21 => self.with_parameter(below),
            22 => format!("vector({})", self.scalar(below)),
            _ => self.selector(),
        }
    }

    fn labels(&mut self) -> String {
        let count = self.random.below(3);
        let labels: Vec<&str> = (0..count).map(|_| self.random.pick(&LABELS)).collect();
        labels.join(", ")
    }

    fn aggregation(&mut self, depth: usize) -> String {
        let grouping = match self.random.below(3) {
            0 => String::new(),
            1 => format!(" by ({})", self.labels()),
            _ => format!(" without ({})", self.labels()),
        };
        match self.random.below(12) {
            // Of samples that are all different, so that it is certain which are the largest.
            0 => {
                let function = self.random.pick(&["topk", "bottomk"]);
                format!("{function}{grouping} ({}, temperature)", 1 + self.random.below(3))
            }
            1 => {
                let quantile = self.random.pick(&["0.5", "0", "1", "0.9", "-1", "2"]);
                format!("quantile{grouping} ({quantile}, {})", self.vector(depth))
            }
            // Of values that were not computed: the last digit would become a label.
            2 => format!("count_values{grouping} (\"value\", {})", self.selector()),
            // Of finite numbers: of a single infinite one 2.42 makes 0, 3.x NaN.
            3 => {
                let function = self.random.pick(&["stddev", "stdvar"]);
                let finite = ["requests_total", "temperature", "rate(latency_seconds_sum[5m])", "up + 1"];
                format!("{function}{grouping} ({})", self.random.pick(&finite))
            }
            _ => {
                let function = self.random.pick(&AGGREGATIONS);
                format!("{function}{grouping} ({})", self.vector(depth))
            }
        }
    }

    fn matching(&mut self) -> String {
        match self.random.below(3) {
            0 => String::new(),
            1 => format!(" on ({})", self.labels()),
            _ => format!(" ignoring ({})", self.labels()),
        }
    }

    fn matched(&mut self, depth: usize) -> String {
        if self.random.chance(40) {
            // Joins that find a partner.
            let operator = self.random.pick(&ARITHMETIC);
            let many = self.random.pick(&["requests_total", "up", "rate(requests_total[5m])"]);
            let one = self.random.pick(&["build_info", "sum by (job) (up)", "latency_seconds_count"]);
            let include = self.random.pick(&["", "version"]);
            return if self.random.chance(50) {
                format!("({many} {operator} on (job) group_left ({include}) {one})")
            } else {
                format!("({one} {operator} on (job) group_right ({include}) {many})")
            };
        }
        let arithmetic = self.random.chance(50);
        let (operator, bool) = if arithmetic {
            (self.random.pick(&ARITHMETIC), "")
        } else {
            (self.random.pick(&COMPARISON), self.random.pick(&["", " bool"]))
        };
        let matching = self.matching();
        // Not the same on both sides of a comparison: the order of summation differs from one to the next in 2.42.
        let left = self.vector(depth);
        let right = if arithmetic && self.random.chance(50) { left.clone() } else { self.vector(depth) };
        format!("({left} {operator}{bool}{matching} {right})")
    }

    fn with_scalar(&mut self, depth: usize) -> String {
        if self.random.chance(15) {
            let power = self.random.pick(&["^ 2", "^ 0.5", "^ -1", "^ 0", "% 7", "% -2.5", "% 0"]);
            return format!("({} {power})", self.selector());
        }
        let (vector, scalar) = (self.vector(depth), self.scalar(depth));
        let (operator, bool) = if self.random.chance(60) {
            (self.random.pick(&ARITHMETIC), "")
        } else {
            (self.random.pick(&COMPARISON), self.random.pick(&["", " bool"]))
        };
        if self.random.chance(70) {
            format!("({vector} {operator}{bool} {scalar})")
        } else {
            format!("({scalar} {operator}{bool} {vector})")
        }
    }

    fn labelled(&mut self, depth: usize) -> String {
        let vector = self.vector(depth);
        let (to, from) = (self.random.pick(&LABELS), self.random.pick(&LABELS));
        if self.random.chance(60) {
            let (replacement, regex) =
                [("$1", "(.*):1"), ("x-$1", "(.).*"), ("", ".*"), ("${1}y", "(a|b).*")]
                    [usize::try_from(self.random.below(4)).unwrap()];
            format!("label_replace({vector}, \"{to}\", \"{replacement}\", \"{from}\", \"{regex}\")")
        } else {
            format!("label_join({vector}, \"{to}\", \"-\", \"{from}\", \"job\")")
        }
    }

    fn quantile(&mut self) -> String {
        let quantile = self.random.pick(&["0.5", "0.9", "0.99", "0", "1", "-0.1", "1.1"]);
        let buckets = self.random.pick(&[
            "latency_seconds_bucket",
            "rate(latency_seconds_bucket[5m])",
            "sum by (le) (rate(latency_seconds_bucket[5m]))",
            "sum by (le, job) (increase(latency_seconds_bucket[10m]))",
            "latency_seconds_bucket{le!=\"+Inf\"}",
        ]);
        format!("histogram_quantile({quantile}, {buckets})")
    }

    fn with_parameter(&mut self, depth: usize) -> String {
        let range = |generator: &mut Self| generator.range_vector(depth);
        match self.random.below(6) {
            0 => format!("clamp_min({}, {})", self.vector(depth), self.scalar(depth)),
            1 => format!("clamp_max({}, {})", self.vector(depth), self.scalar(depth)),
            2 => format!("clamp({}, {}, {})", self.vector(depth), self.number(), self.number()),
            3 => format!("round({}, {})", self.vector(depth), self.random.pick(&["0.1", "5", "0.5"])),
            4 => format!("quantile_over_time({}, {})", self.random.pick(&["0.5", "0.1", "1"]), range(self)),
            _ => {
                let (selector, range) = (self.random.pick(&SELECTORS), self.random.pick(&RANGES));
                let seconds = self.random.pick(&["60", "3600", "-600"]);
                format!("predict_linear({selector}[{range}], {seconds})")
            }
        }
    }

    /// What no server should take.
    fn wrong(&mut self) -> String {
        let vector = self.vector(1);
        match self.random.below(8) {
            0 => format!("rate({vector})"),
            1 => format!("({vector}"),
            2 => format!("sum({})", self.number()),
            3 => format!("{vector}[5m]"),
            4 => format!("label_replace({vector}, \"a\", \"b\", \"job\", \"(\")"),
            5 => format!("{vector} and {}", self.number()),
            6 => format!("unknown_function({vector})"),
            _ => format!("{vector} + bool {vector}"),
        }
    }
}
