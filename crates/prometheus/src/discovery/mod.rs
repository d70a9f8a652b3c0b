//! Where targets come from: the configuration itself, files that others write, servers and DNS.

mod asking;
mod dns;
mod dns_message;
mod files;
mod http;

use std::sync::Arc;

use streamflow_prometheus_yml::{Discovery, LabelMap, TargetGroup};
use tokio::sync::Notify;

use asking::Asked;
use files::Files;

pub use asking::Counters;

/// Any bytes as the answer to a question of every type: how many records they have.
pub fn fuzz_dns(bytes: &[u8]) -> usize {
    use dns_message::{A, AAAA, MX, NS, SRV, records};
    let id = bytes.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
    let found = [A, AAAA, MX, NS, SRV].into_iter().filter_map(|kind| records(bytes, id, kind));
    found.map(|answer| answer.records.len()).sum()
}

/// What has been found so far for every section that asked.
#[derive(Debug, Default)]
pub struct Finder {
    files: Files,
    asked: Vec<Asked>,
    /// Told when a server or DNS says something else than before.
    changed: Arc<Notify>,
}

impl Finder {
    /// Wakes who waits for it when targets may have changed. Files are looked at by whoever asks again.
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Begins a round of questions, at whose end is forgotten what nobody asked for.
    pub fn begin(&mut self) {
        self.asked.iter_mut().for_each(|asked| asked.wanted = false);
    }

    /// The labels of every target before relabeling. Reads files, so it blocks; servers and DNS are asked by tasks, and
    /// what they found last is told.
    pub fn targets(&mut self, discovery: &Discovery, counters: &Arc<Counters>) -> Vec<LabelMap> {
        let mut targets: Vec<LabelMap> = discovery.static_configs.iter().flat_map(labels_of).collect();
        for pattern in discovery.file_sd_configs.iter().flat_map(|files| &files.files) {
            targets.extend(self.files.targets(pattern, counters));
        }
        let http = discovery.http_sd_configs.iter().cloned().map(Box::new).map(asking::Question::Http);
        let dns = discovery.dns_sd_configs.iter().cloned().map(asking::Question::Dns);
        for question in http.chain(dns) {
            targets.extend(self.answer(question, counters));
        }
        targets
    }

    fn answer(&mut self, question: asking::Question, counters: &Arc<Counters>) -> Vec<LabelMap> {
        if let Some(known) = self.asked.iter_mut().find(|asked| asked.question == question) {
            known.wanted = true;
            return known.found();
        }
        self.asked.push(Asked::start(question, Arc::clone(counters), Arc::clone(&self.changed)));
        Vec::new()
    }

    /// Ends the round.
    pub fn end(&mut self) {
        self.asked.retain(|asked| asked.wanted);
    }
}

fn labels_of(group: &TargetGroup) -> impl Iterator<Item = LabelMap> {
    group.targets.iter().map(|target| {
        let mut labels = group.labels.clone();
        labels.insert("__address__".to_owned(), target.clone());
        labels
    })
}
