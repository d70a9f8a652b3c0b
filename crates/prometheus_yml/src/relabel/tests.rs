//! Cases: rules as YAML, labels, what becomes of them (`None`: dropped).

use super::*;

const LABELS: &[(&str, &str)] = &[("__address__", "host:80"), ("a", "foo"), ("b", "BaR"), ("c", "baz")];

fn check(yaml: &str, expected: Option<&[(&str, &str)]>) {
    let rules: Vec<Relabel> = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
    let map = |pairs: &[(&str, &str)]| -> LabelMap {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let mut labels = map(LABELS);
    let kept = relabel(&mut labels, &rules);
    assert_eq!(kept.then_some(labels), expected.map(map), "{yaml}");
}

/// The labels above with these in front; an empty value takes one away.
fn check_changed(yaml: &str, changed: &[(&str, &str)]) {
    let mut labels: BTreeMap<&str, &str> = LABELS.iter().chain(changed).copied().collect();
    labels.retain(|_, value| !value.is_empty());
    check(yaml, Some(&labels.into_iter().collect::<Vec<_>>()));
}

#[test]
fn every_action() {
    check_changed(
        "- {source_labels: [a], target_label: d, regex: 'f(.*)', replacement: 'x${1}y'}",
        &[("d", "xooy")],
    );
    check_changed("- {source_labels: [a, c], target_label: d}", &[("d", "foo;baz")]);
    check_changed("- {source_labels: [a, c], separator: '', target_label: d}", &[("d", "foobaz")]);
    check_changed("- {source_labels: [a], regex: 'oo', target_label: d}", &[]);
    check_changed("- {source_labels: [a], target_label: '${1}_x', replacement: '1'}", &[("foo_x", "1")]);
    check_changed(
        "- {source_labels: [__address__], target_label: '${1}', replacement: x}",
        &[("host:80", "x")],
    );
    check_changed("- {source_labels: [a], target_label: 'b.${1}', replacement: '$1é'}", &[("b.foo", "")]);
    check_changed("- {source_labels: [a], target_label: '${2}', replacement: x}", &[]);
    check_changed("- {target_label: a, replacement: ''}", &[("a", "")]);
    check_changed("- {target_label: a, replacement: static}", &[("a", "static")]);
    check_changed("- {source_labels: [absent], target_label: a}", &[("a", "")]);
    check_changed(
        "- {source_labels: [a], regex: '(?P<x>f)oo', target_label: d, replacement: '${x}-$$'}",
        &[("d", "f-$")],
    );
    check_changed("- {source_labels: [a], regex: foo, action: keep}", &[]);
    check("- {source_labels: [a], regex: fo, action: keep}", None);
    check("- {source_labels: [a], regex: 'f.*', action: drop}", None);
    check_changed("- {source_labels: [a], regex: 'o.*', action: drop}", &[]);
    // As Python computes it: int.from_bytes(hashlib.md5(b"foo").digest()[8:]) % 1000.
    check_changed("- {source_labels: [a], target_label: d, modulus: 1000, action: hashmod}", &[("d", "696")]);
    check_changed(
        "- {regex: '(a|b)', replacement: 'x_$1', action: labelmap}",
        &[("x_a", "foo"), ("x_b", "BaR")],
    );
    check_changed("- {regex: '__address__|b', action: labeldrop}", &[("__address__", ""), ("b", "")]);
    check("- {regex: '[ab]', action: labelkeep}", Some(&[("a", "foo"), ("b", "BaR")]));
    check_changed("- {source_labels: [b], target_label: b, action: lowercase}", &[("b", "bar")]);
    check_changed("- {source_labels: [b], target_label: b, action: UPPERCASE}", &[("b", "BAR")]);
    check_changed("- {source_labels: [a], target_label: a, action: keepequal}", &[]);
    check("- {source_labels: [a], target_label: c, action: keepequal}", None);
    check("- {source_labels: [a], target_label: a, action: dropequal}", None);
    check_changed("- {source_labels: [a], target_label: c, action: dropequal}", &[]);
    check_changed(
        "- {target_label: d, replacement: x}\n- {source_labels: [d], target_label: e, regex: x, replacement: y}",
        &[("d", "x"), ("e", "y")],
    );
}

#[test]
fn refused_rules() {
    for (yaml, reason) in [
        ("{action: explode}", "unknown relabel action \"explode\""),
        ("{action: replace}", "action replace needs a target_label"),
        ("{action: hashmod, target_label: a}", "action hashmod needs a modulus above 0"),
        ("{source_labels: [''], target_label: a}", "source_labels: a label has no name"),
        ("{regex: '(', target_label: a}", "regex \"(\""),
        ("{action: labelmap, replacement: ''}", "action labelmap needs a replacement"),
        ("{action: labeldrop, source_labels: [a]}", "action labeldrop takes only regex"),
        (
            "{action: lowercase, target_label: a, replacement: x}",
            "replacement cannot be set for action lowercase",
        ),
        ("{action: keepequal, target_label: a, regex: x}", "takes only source_labels and target_label"),
    ] {
        let error = serde_saphyr::from_str::<Relabel>(yaml).unwrap_err().to_string();
        assert!(error.contains(reason), "{yaml}: {error}");
    }
}
