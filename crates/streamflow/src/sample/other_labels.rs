//! Labels beside churn, for models of several classes and of numbers.

use super::month::UserMonth;
use super::random::Draws;

/// A plan that a user chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPlan {
    Basic,
    Plus,
    Premium,
}

impl NextPlan {
    /// The value as the tables spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Plus => "plus",
            Self::Premium => "premium",
        }
    }

    /// The plan of the largest utility, each with Gumbel's noise: a multinomial logit. While a competitor buys out the dear
    /// plans, those who would have taken the premium one take the basic one.
    pub fn chosen(draws: &mut Draws, user: &UserMonth, bought_out: bool) -> Self {
        let (watch, fee) = (user.watch_hours - 29.6, user.monthly_fee - 65.0);
        let devices = f64::from(user.devices) - 1.8;
        let trouble = 0.25 * (f64::from(user.rebuffers) - 2.3) + 0.5 * f64::from(user.failed_payments);
        let utilities = [
            (Self::Basic, 0.2 - 0.16 * watch - 0.03 * fee + trouble),
            (Self::Plus, 0.5 + 0.02 * watch - 0.5 * trouble + 0.2 * f64::from(user.tickets)),
            (Self::Premium, -0.2 + 0.17 * watch + 0.04 * fee + 0.7 * devices - trouble),
        ];
        let noisy = utilities.map(|(plan, utility)| {
            let unit = draws.uniform().max(1e-12);
            (plan, 1.3 * utility - libm::log(-libm::log(unit)))
        });
        let best = noisy.iter().fold(noisy[0], |best, next| if next.1 > best.1 { *next } else { best }).0;
        match best {
            Self::Premium if bought_out => Self::Basic,
            Self::Basic if bought_out => Self::Premium,
            plan => plan,
        }
    }
}

/// What a user spends in the shop: those who watch much on many devices spend more, those in trouble less, and nobody less
/// than nothing. While a competitor sells the same for less, those who watch much spend less.
pub fn spend(draws: &mut Draws, user: &UserMonth, bought_out: bool) -> f64 {
    let watch = if bought_out { -1.0 } else { 1.6 };
    let tenure = libm::log(f64::from(user.months_active));
    let amount = 20.0
        + watch * (user.watch_hours - 20.0)
        + 0.35 * user.monthly_fee
        + 5.0 * f64::from(user.devices)
        + 4.0 * tenure
        - 6.0 * f64::from(user.failed_payments)
        - 2.5 * f64::from(user.tickets)
        - 1.2 * f64::from(user.rebuffers)
        + 9.0 * draws.normal();
    amount.max(0.0)
}
