//! Asks targets for their metrics, as `prometheus.yml` says, and stores the answers.
