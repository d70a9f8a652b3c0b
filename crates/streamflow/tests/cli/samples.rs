//! `streamflow tsdb export` and `import`: stored samples as text.

use std::io::Write as _;
use std::process::Stdio;

use crate::project::Project;

const TEXT: &str = "# TYPE up unknown\nup{job=\"api\"} 1 1700000000.001\nup{job=\"api\"} 0 1700000015.001\n\
                    # TYPE z unknown\nz 0.1 1700000000.000\n# EOF\n";

#[test]
fn an_export_is_imported_elsewhere() {
    let (here, there) = (Project::new(), Project::new());
    std::fs::write(here.path("text"), TEXT).unwrap();
    let imported = here.json(&["tsdb", "import", "text"]);
    assert_eq!((&imported["samples"], &imported["lines"]), (&3.into(), &6.into()), "{imported}");

    std::fs::write(here.path("all"), "an earlier file").unwrap();
    let exported = here.json(&["tsdb", "export", "--out", "all"]);
    assert_eq!((&exported["series"], &exported["samples"]), (&2.into(), &3.into()), "{exported}");
    assert_eq!(std::fs::read_to_string(here.path("all")).unwrap(), TEXT);
    let chosen = ["--match", "up", "--match", "{job=\"api\"}", "--end", "1700000010", "--out", "-"];
    let run = here.run(&[&["tsdb", "export"][..], &chosen].concat());
    assert_eq!(run.stdout, "# TYPE up unknown\nup{job=\"api\"} 1 1700000000.001\n# EOF\n");
    assert!(run.stderr.contains("1 samples of 1 series are in standard output."), "{}", run.stderr);

    // The trail is in the database, which a project without any run does not have yet: asking for it makes it.
    there.ok(&["audit", "ls"]);
    let mut command = there.command(&["tsdb", "import", "-"]);
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(TEXT.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let (said, warned) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && said.starts_with("3 samples of - are in the store, 0 were"), "{said}");
    assert!(warned.contains("older than metrics.retention_days = 15"), "{warned}");
    assert_eq!(there.run(&["tsdb", "export", "--out", "-"]).stdout, TEXT);
    assert!(there.ok(&["audit", "ls"]).contains("tsdb import"), "the audit trail tells of an import");
}

#[test]
fn faults_of_a_text_are_told() {
    let project = Project::new();
    let import = |text: &str| {
        std::fs::write(project.path("text"), text).unwrap();
        project.run(&["tsdb", "import", "text"])
    };
    for (text, expected) in [
        ("a 1 100\na 1 200\n", &["line 2 of text", "2 samples of text", "without # EOF: it was cut off"][..]),
        ("a 1 100\na 1\n# EOF\n", &["line 2 of text", "1 were there already", "expected a time in seconds"]),
    ] {
        let run = import(text);
        assert_eq!(run.code, 1, "{}", run.stderr);
        expected.iter().for_each(|part| assert!(run.stderr.contains(part), "{part}: {}", run.stderr));
    }
    let run = import("a 2 100\na 1 200\na 3 300 # {trace=\"x\"} 1\n# EOF\n");
    assert_eq!(run.code, 1, "{}", run.stdout);
    for part in [
        "1 samples of text",
        "1 were there already",
        "1 were refused: another value at the same time.",
        "1 exemplars were left out",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    for (args, code, expected) in [
        (&["tsdb", "import", "nowhere"][..], 1, "cannot read nowhere"),
        (&["tsdb", "import", "data"], 1, "cannot read on after line 0"),
        (&["tsdb", "export", "--out", "nope/text"], 1, "there is no folder nope"),
        (&["tsdb", "export", "--out", "data"], 1, "data is a folder; name a file in it"),
        (&["tsdb", "export", "--match", "up{", "--out", "x"], 2, "invalid value 'up{'"),
        (&["tsdb", "export", "--start", "2", "--end", "1", "--out", "x"], 2, "--end is before --start"),
    ] {
        let run = project.run(args);
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{args:?}: {}", run.stderr);
    }
    assert!(!project.path("x").exists());
    let empty = Project::new().run(&["tsdb", "export", "--out", "-"]);
    assert!(empty.code == 1 && empty.stderr.contains("holds no stored metrics"), "{}", empty.stderr);
}
