//! What jobs say of native histograms.

/// Which native histograms a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NativeHistograms {
    /// Whether any.
    pub enabled: bool,
    /// Whether the classic buckets of native histograms are taken as well.
    pub always_classic: bool,
    /// Whether classic histograms become native ones with custom bounds.
    pub convert_classic: bool,
    /// Most buckets of one; a finer one is made coarser. 0 is no limit.
    pub bucket_limit: u64,
    /// The factor by which bounds are at least apart; a finer histogram is made coarser. 0 is no bound.
    pub min_bucket_factor: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_say_more_than_global() {
        let text = "global: {scrape_native_histograms: true, native_histogram_bucket_limit: 50}\n\
                    scrape_configs:\n- {job_name: a, native_histogram_min_bucket_factor: 2}\n\
                    - {job_name: b, scrape_native_histograms: false, convert_classic_histograms_to_nhcb: true, native_histogram_bucket_limit: 5}\n\
                    - {job_name: c, scrape_protocols: [PrometheusText0.0.4], always_scrape_classic_histograms: true}\n";
        let (mut config, warnings) = crate::parse(text, std::path::Path::new("")).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let all = |config: &crate::PrometheusConfig| -> Vec<(NativeHistograms, usize)> {
            config.scrape_configs.iter().map(|job| (job.native, job.scrape_protocols.len())).collect()
        };
        let shared = NativeHistograms { enabled: true, bucket_limit: 50, ..NativeHistograms::default() };
        let expected = [
            (NativeHistograms { min_bucket_factor: 2.0, ..shared }, 5),
            (NativeHistograms { enabled: false, convert_classic: true, bucket_limit: 5, ..shared }, 4),
            (NativeHistograms { always_classic: true, ..shared }, 1),
        ];
        assert_eq!(all(&config), expected);
        // A server that takes them by default does not overrule what is written.
        config.scrape_configs.iter_mut().for_each(crate::ScrapeConfig::take_native_histograms);
        assert_eq!(all(&config), expected);
        let (mut config, _) =
            crate::parse("scrape_configs: [{job_name: a}]", std::path::Path::new("")).unwrap();
        config.scrape_configs[0].take_native_histograms();
        let native = config.scrape_configs[0].native;
        assert!(
            native.enabled
                && config.scrape_configs[0].scrape_protocols[0] == crate::ScrapeProtocol::PrometheusProto
        );
    }
}
