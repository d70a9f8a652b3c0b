//! What a user is for life: the columns that do not change and the hidden traits behind those that do.

use super::ROWS;
use super::entity_id::{CAPACITY, entity_id};
use super::random::{Draws, Seed};

/// Users that may follow one another in one place: more than there are months.
const ARRIVALS_A_PLACE: u64 = 128;
const _: () = assert!(*ROWS.end() * ARRIVALS_A_PLACE <= CAPACITY, "every user has an id");

/// When the present user of a place came, and after how many others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Number of users who had the place before.
    generation: u8,
    /// Index of the first month the user is part of.
    month: u8,
}

impl Arrival {
    /// The users who were there before the first month.
    pub const FIRST: Self = Self { generation: 0, month: 0 };

    /// The arrival of the successor in the month `index`.
    pub fn next(self, index: u32) -> Self {
        let month = u8::try_from(index).expect("at most 120 months");
        Self { generation: self.generation + 1, month }
    }
}

/// The internet service a user watches over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetService {
    /// A telephone line.
    Dsl,
    /// Faster, dearer, and what the example's drift is about.
    FiberOptic,
    /// No internet service of ours: such users have no streaming plan, known or unknown.
    No,
}

impl NetService {
    /// The value as the tables spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dsl => "DSL",
            Self::FiberOptic => "Fiber optic",
            Self::No => "No",
        }
    }
}

/// One user for life. Traits without a unit are standard normal.
pub struct Person {
    /// Drives the draws of every month.
    pub number: u64,
    /// Index of the line in the tables.
    pub place: u64,
    /// The id as the tables have it.
    pub id: [u8; 10],
    /// Months between the first month of the sample and the month of signup; negative before it.
    pub signup_offset: i32,
    /// Day of the signup within its month, as a share of the month.
    pub signup_day: f64,
    pub gender: &'static str,
    pub senior: bool,
    pub family: bool,
    pub dependents: bool,
    pub paperless: bool,
    pub net_service: NetService,
    /// Place in the queue of a fibre roll-out, uniform in [0, 1).
    pub rollout_rank: f64,
    pub wants_tv: bool,
    pub wants_movies: bool,
    /// Deviation of the monthly fee from the price of the plan.
    pub fee_deviation: f64,
    /// Deviation of what was paid from tenure times fee.
    pub paid_deviation: f64,
    /// Leaning towards long contracts.
    pub commitment: f64,
    /// Liking for the service.
    pub engagement: f64,
    /// Badness of the line.
    pub network_trouble: f64,
    /// Difficulty to pay.
    pub hardship: f64,
    /// Readiness to ask for help.
    pub help_seeking: f64,
    /// Slowness of the regional support team.
    pub support_delay: f64,
    /// Readiness to leave that no column shows.
    pub restlessness: f64,
}

impl Person {
    /// The user of `place` who came with `arrival`.
    pub fn new(seed: &Seed, place: u64, arrival: Arrival) -> Self {
        let number = place * ARRIVALS_A_PLACE + u64::from(arrival.generation);
        let draws = &mut seed.traits(number);
        let months_active = months_active_on_arrival(draws, arrival);
        let signup_offset = i32::from(arrival.month) + 1 - months_active;
        // Later cohorts: slightly more fibre, slightly more paperless billing.
        let cohort = f64::from(signup_offset + 32);
        let signup_day = draws.uniform();
        let gender = if draws.chance(0.505) { "Male" } else { "Female" };
        let senior = draws.chance(0.162);
        let family = draws.chance(if senior { 0.56 } else { 0.47 });
        let dependents = draws.chance(match (senior, family) {
            (true, _) => 0.09,
            (false, true) => 0.58,
            (false, false) => 0.10,
        });
        let net_service = net_service(draws, senior, cohort);
        let paperless = draws.chance(
            cohort * 0.0005
                + match net_service {
                    NetService::FiberOptic => 0.77,
                    NetService::Dsl => 0.56,
                    NetService::No => 0.28,
                },
        );
        let wants_tv = draws.chance(0.49);
        Self {
            number,
            place,
            id: entity_id(seed.key(), number),
            signup_offset,
            signup_day,
            gender,
            senior,
            family,
            dependents,
            paperless,
            net_service,
            rollout_rank: draws.uniform(),
            wants_tv,
            wants_movies: draws.chance(if wants_tv { 0.76 } else { 0.26 }),
            fee_deviation: draws.normal(),
            paid_deviation: draws.normal(),
            commitment: draws.normal(),
            engagement: draws.normal(),
            network_trouble: draws.normal(),
            hardship: draws.normal(),
            help_seeking: draws.normal(),
            support_delay: draws.normal(),
            restlessness: draws.normal(),
        }
    }
}

/// Newcomers start with one month; those of the first month have been there for 1 to 72, many for few months
/// and many for nearly all, as services of that age see it.
fn months_active_on_arrival(draws: &mut Draws, arrival: Arrival) -> i32 {
    let (group, within) = (draws.uniform(), draws.uniform());
    if arrival != Arrival::FIRST {
        return 1;
    }
    let curved = |power: f64| libm::pow(within, power);
    let months = match group {
        ..0.42 => 1.0 + 24.0 * curved(1.7),
        ..0.74 => 1.0 + 72.0 * within,
        _ => 73.0 - 20.0 * curved(1.5),
    };
    (months as i32).clamp(1, 72)
}

fn net_service(draws: &mut Draws, senior: bool, cohort: f64) -> NetService {
    let fiber = if senior { 0.60 } else { 0.405 } + 0.0006 * cohort;
    let none = if senior { 0.06 } else { 0.247 };
    match draws.uniform() {
        uniform if uniform < fiber => NetService::FiberOptic,
        uniform if uniform < fiber + none => NetService::No,
        _ => NetService::Dsl,
    }
}
