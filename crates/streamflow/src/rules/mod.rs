//! Recording and alerting rules: evaluated on a schedule, their alerts sent on.
