//! Any bytes as a file of targets, in JSON and in YAML: an error, or addresses.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use streamflow_prometheus_yml::parse_targets;

fuzz_target!(|bytes: &[u8]| {
    for name in ["targets.json", "targets.yml"] {
        match parse_targets(Path::new(name), bytes) {
            Ok(groups) => {
                let mut targets = groups.iter().flat_map(|group| &group.targets);
                assert!(targets.all(|target| !target.contains('/')));
            }
            Err(error) => assert!(!error.is_empty()),
        }
    }
});
