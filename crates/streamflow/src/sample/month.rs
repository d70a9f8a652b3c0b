//! What a month does to a user: season, tenure, chance, the drift, and whether the user churns.

use jiff::civil::Date;

use super::LEAVE_SHARE;
use super::other_labels::{NextPlan, spend};
use super::person::{NetService, Person};
use super::random::{Draws, Seed};

/// How long a user is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// Free to leave at the end of every month.
    MonthToMonth,
    /// Bound for a year.
    OneYear,
    /// Bound for two.
    TwoYear,
}

impl Contract {
    /// The value as the tables spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MonthToMonth => "Month-to-month",
            Self::OneYear => "One year",
            Self::TwoYear => "Two year",
        }
    }
}

/// A user in one month: one line of each table.
pub struct UserMonth {
    pub person: Person,
    pub signup_date: Date,
    /// Months begun since the signup, 1 in the month of the signup.
    pub months_active: i32,
    pub net_service: NetService,
    /// Missing without internet service.
    pub plan_stream_tv: Option<bool>,
    /// Missing without internet service.
    pub plan_stream_movies: Option<bool>,
    pub contract: Contract,
    pub monthly_fee: f64,
    /// Missing for some newcomers whose first invoice is open.
    pub total_paid: Option<f64>,
    pub watch_hours: f64,
    pub session_minutes: f64,
    pub devices: u32,
    pub skips: u32,
    pub rebuffers: u32,
    pub failed_payments: u32,
    pub tickets: u32,
    /// Average of the user's tickets, or of the region's when there are none.
    pub resolution_hours: f64,
    /// The label.
    pub churns: bool,
    /// Gone in the next month; only users who churn leave.
    pub leaves: bool,
    /// What the user will spend in the shop, in two digits; another label.
    pub spend: f64,
    /// The plan that the user will choose next; another label.
    pub next_plan: NextPlan,
}

/// One month of the sample.
pub struct Month {
    start: Date,
    index: u32,
    as_of: Date,
    conditions: Conditions,
}

/// What differs between months for everybody.
struct Conditions {
    /// Share of the telephone lines that a roll-out has replaced by fibre.
    rollout_share: f64,
    /// Added to the monthly fee of those lines.
    rollout_fee: f64,
    /// Factor on the hours watched: the season and the network.
    watch_factor: f64,
    /// Added to the length of a session, in minutes.
    session_minutes: f64,
    /// Factor on rebuffering events.
    rebuffer_factor: f64,
    /// Factor on skipped titles.
    skip_factor: f64,
    /// Factor on support tickets.
    ticket_factor: f64,
    /// Added to the time until a ticket is closed, in hours.
    resolution_hours: f64,
    /// Added to the log odds of churn: subscriptions are reviewed in January.
    churn_log_odds: f64,
    /// Whether a competitor buys out long contracts, so that others churn than before.
    bought_out: bool,
}

/// What is new in a month.
#[derive(Debug, Clone, Copy, Default)]
pub struct Changes {
    /// The columns have drifted.
    pub drifted: bool,
    /// Churn hangs on the columns in another way.
    pub relation: bool,
}

impl Conditions {
    fn new(month_of_year: i8, changes: Changes) -> Self {
        // People watch most in January and least in July.
        let phase = std::f64::consts::TAU * f64::from(month_of_year - 1) / 12.0;
        let season = 1.0 + 0.035 * libm::cos(phase);
        let churn_log_odds = if month_of_year == 1 { 0.10 } else { 0.0 };
        let ordinary = Self {
            rollout_share: 0.0,
            rollout_fee: 0.0,
            watch_factor: season,
            session_minutes: 0.0,
            rebuffer_factor: 1.0,
            skip_factor: 1.0,
            ticket_factor: 1.0,
            resolution_hours: 0.0,
            churn_log_odds,
            bought_out: changes.relation,
        };
        if !changes.drifted {
            return ordinary;
        }
        Self {
            rollout_share: 0.5,
            rollout_fee: 16.0,
            watch_factor: season * 0.87,
            session_minutes: -2.0,
            rebuffer_factor: 1.65,
            skip_factor: 1.3,
            ticket_factor: 1.5,
            resolution_hours: 2.2,
            ..ordinary
        }
    }
}

impl Month {
    /// The month `index` months after that of `start`.
    pub fn new(start: Date, index: u32, changes: Changes) -> Self {
        let offset = i32::try_from(index).expect("at most 120 months");
        let as_of = first_of_month(start, offset).last_of_month();
        Self { start, index, as_of, conditions: Conditions::new(as_of.month(), changes) }
    }

    /// The month's last day.
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// What the month makes of `person`.
    pub fn user(&self, seed: &Seed, person: Person) -> UserMonth {
        let draws = &mut seed.month(person.number, self.index);
        let now = &self.conditions;
        let signup_month = first_of_month(self.start, person.signup_offset);
        let index = i32::try_from(self.index).expect("at most 120 months");
        let months_active = index + 1 - person.signup_offset;
        let contract = contract(&person, months_active, signup_month.month());
        let (net_service, monthly_fee) = plan(&person, now);
        let wants = |flag: bool| (net_service != NetService::No).then_some(flag);
        let watch_hours = watch_hours(draws, &person, net_service) * now.watch_factor;
        let liking = (watch_hours - 29.6) / 6.8;
        let session_minutes =
            29.0 + 2.4 * liking + 2.0 * person.engagement + 4.6 * draws.normal() + now.session_minutes;
        let second_device = draws.chance(0.62 + 0.12 * f64::from(u8::from(person.family)));
        let third_device = draws.chance(0.40 + 0.15 * f64::from(u8::from(person.dependents)));
        let line = libm::exp(0.38 * person.network_trouble - 0.07);
        let rebuffers = draws.poisson(2.3 * line * now.rebuffer_factor);
        let skips = draws.poisson((5.2 - 0.7 * person.engagement).max(1.0) * now.skip_factor);
        let failed_payments = draws.poisson(0.13 * libm::exp(0.7 * person.hardship)).min(3);
        let trouble = 0.10 * (f64::from(rebuffers) - 2.3) + 0.45 * person.help_seeking;
        let tickets = draws.poisson(0.27 * libm::exp(trouble) * now.ticket_factor).min(9);
        let resolution_hours =
            10.0 + 2.0 * person.support_delay + 3.3 * draws.normal() + now.resolution_hours;
        let total_paid = total_paid(draws, &person, months_active, monthly_fee);
        let mut user = UserMonth {
            signup_date: day_of_month(signup_month, person.signup_day),
            months_active,
            net_service,
            plan_stream_tv: wants(person.wants_tv),
            plan_stream_movies: wants(person.wants_movies),
            contract,
            monthly_fee,
            total_paid,
            watch_hours: watch_hours.max(0.0),
            session_minutes: session_minutes.max(1.0),
            devices: 1 + u32::from(second_device) + u32::from(second_device && third_device),
            skips,
            rebuffers,
            failed_payments,
            tickets,
            resolution_hours: resolution_hours.max(1.0),
            churns: false,
            leaves: false,
            spend: 0.0,
            next_plan: NextPlan::Basic,
            person,
        };
        let log_odds = if now.bought_out { bought_out_log_odds(&user) } else { churn_log_odds(&user) };
        let log_odds = log_odds + now.churn_log_odds;
        user.churns = draws.chance(1.0 / (1.0 + libm::exp(-log_odds)));
        user.leaves = draws.chance(LEAVE_SHARE) && user.churns;
        // After all else: the columns are the same whatever the label is.
        user.spend = spend(draws, &user, now.bought_out);
        user.next_plan = NextPlan::chosen(draws, &user, now.bought_out);
        user
    }
}

/// Net service and monthly fee, to five cents; some telephone lines are fibre after the roll-out.
fn plan(person: &Person, now: &Conditions) -> (NetService, f64) {
    let titles = f64::from(u8::from(person.wants_tv) + u8::from(person.wants_movies));
    let upgraded = person.net_service == NetService::Dsl && person.rollout_rank < now.rollout_share;
    let (price, lowest) = match person.net_service {
        NetService::No => (20.8 + 1.8 * person.fee_deviation, 18.25),
        NetService::Dsl => (49.0 + 10.0 * titles + 10.0 * person.fee_deviation, 23.45),
        NetService::FiberOptic => (81.5 + 10.0 * titles + 7.0 * person.fee_deviation, 67.75),
    };
    let (net_service, surcharge) =
        if upgraded { (NetService::FiberOptic, now.rollout_fee) } else { (person.net_service, 0.0) };
    (net_service, libm::round(price.max(lowest) * 20.0) / 20.0 + surcharge)
}

/// Long-standing and committed users are bound for longer; holiday promotions win users who are not.
fn contract(person: &Person, months_active: i32, signup_month: i8) -> Contract {
    let promotion = if signup_month >= 11 { 0.5 } else { 0.0 };
    let family = if person.dependents { 0.3 } else { 0.0 };
    match person.commitment + 0.035 * f64::from(months_active - 32) + family - promotion {
        1.0.. => Contract::TwoYear,
        0.25.. => Contract::OneYear,
        _ => Contract::MonthToMonth,
    }
}

/// Before the season: streaming plans and engagement raise it, a missing line lowers it.
fn watch_hours(draws: &mut Draws, person: &Person, net_service: NetService) -> f64 {
    let titles = f64::from(u8::from(person.wants_tv) + u8::from(person.wants_movies));
    let base = match net_service {
        NetService::No => 23.5,
        NetService::Dsl => 25.5 + 4.0 * titles,
        NetService::FiberOptic => 28.0 + 4.0 * titles,
    };
    base + 3.3 * person.engagement + 3.0 * draws.normal()
}

fn total_paid(draws: &mut Draws, person: &Person, months_active: i32, monthly_fee: f64) -> Option<f64> {
    // The first places always have a total, or a sample of few users could miss more than one in a hundred,
    // which the example's configuration refuses.
    let open_invoice = draws.chance(0.03) && months_active == 1 && person.place >= 100;
    let share = (1.0 + 0.04 * person.paid_deviation).max(0.5);
    (!open_invoice).then(|| monthly_fee * f64::from(months_active) * share)
}

/// The churn model: every visible term is a column of the tables; one hidden term keeps it from being certain.
fn churn_log_odds(user: &UserMonth) -> f64 {
    let contract = match user.contract {
        Contract::MonthToMonth => 1.25,
        Contract::OneYear => -0.35,
        Contract::TwoYear => -1.6,
    };
    let net_service = match user.net_service {
        NetService::FiberOptic => 0.45,
        NetService::Dsl => -0.1,
        NetService::No => -1.0,
    };
    let (tickets, rebuffers) = (f64::from(user.tickets), f64::from(user.rebuffers));
    // A ticket hurts more when it stays open, a bad line more once it is a habit.
    let slow_ticket = if user.tickets > 0 && user.resolution_hours > 12.0 { 0.7 } else { 0.0 };
    let bad_line = if user.rebuffers >= 5 { 0.6 } else { 0.0 };
    let flag = |set: bool, weight: f64| if set { weight } else { 0.0 };
    -2.75 + contract + net_service - 0.50 * libm::log(f64::from(user.months_active) / 20.0)
        + 0.014 * (user.monthly_fee - 65.0)
        + 0.22 * (rebuffers - 2.3)
        + bad_line
        + 0.75 * f64::from(user.failed_payments)
        + 0.55 * tickets
        + slow_ticket
        - 0.07 * (user.watch_hours - 29.6)
        + flag(user.person.senior, 0.3)
        + flag(user.person.paperless, 0.3)
        - flag(user.person.dependents, 0.2)
        + 0.6 * user.person.restlessness
}

/// The churn model while a competitor pays those who leave a long contract: who is bound and dear goes, the others stay.
fn bought_out_log_odds(user: &UserMonth) -> f64 {
    let contract = match user.contract {
        Contract::MonthToMonth => -0.9,
        Contract::OneYear => 0.6,
        Contract::TwoYear => 1.3,
    };
    -1.3 + contract
        + 0.3 * libm::log(f64::from(user.months_active) / 20.0)
        + 0.004 * (user.monthly_fee - 65.0)
        + 0.3 * f64::from(user.tickets)
        + 0.6 * user.person.restlessness
}

/// The first day of the month `offset` months after that of `start`.
fn first_of_month(start: Date, offset: i32) -> Date {
    let months = i32::from(start.year()) * 12 + i32::from(start.month()) - 1 + offset;
    let year = i16::try_from(months.div_euclid(12)).expect("within centuries of the year 2000");
    let month = i8::try_from(months.rem_euclid(12) + 1).expect("at most 12");
    Date::new(year, month, 1).expect("every month has a first day")
}

/// The day that is `share`, in [0, 1), of the month of `first`.
fn day_of_month(first: Date, share: f64) -> Date {
    let day = 1 + (share * f64::from(first.days_in_month())) as i8;
    Date::new(first.year(), first.month(), day).expect("within the month")
}
