//! Which credentials a store is asked with, in words: never the secret itself.

use crate::location::Scheme;

/// The variables of an environment.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Which credentials the environment gives, and where they are from.
pub(crate) fn described(scheme: Scheme, anonymous: bool, environment: Environment<'_>) -> String {
    let of = |name: &str| environment(name).filter(|value| !value.is_empty());
    if anonymous {
        return "no credentials at all (storage.anonymous)".to_owned();
    }
    match scheme {
        Scheme::S3 => s3(&of),
        Scheme::Gs => gs(&of),
        Scheme::Az => az(&of),
    }
}

fn s3(of: Environment<'_>) -> String {
    if let Some(key) = of("AWS_ACCESS_KEY_ID") {
        let lacking = match of("AWS_SECRET_ACCESS_KEY") {
            Some(_) => "",
            None => ", and AWS_SECRET_ACCESS_KEY is not set",
        };
        let session = if of("AWS_SESSION_TOKEN").is_some() { " with AWS_SESSION_TOKEN" } else { "" };
        return format!("the key {} of AWS_ACCESS_KEY_ID{session}{lacking}", shortened(&key));
    }
    for (variable, what) in [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "the token of AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "the role of this container"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "the role of this container"),
    ] {
        if let Some(value) = of(variable) {
            return format!("{what} ({variable}={value})");
        }
    }
    "what this machine's metadata service gives, for AWS_ACCESS_KEY_ID is not set".to_owned()
}

fn gs(of: Environment<'_>) -> String {
    const FILES: [&str; 4] = [
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "SERVICE_ACCOUNT",
    ];
    let file = FILES.iter().find_map(|name| of(name).map(|file| format!("the file {file} of {name}")));
    file.unwrap_or_else(|| {
        "what gcloud or this machine's metadata service gives, for GOOGLE_APPLICATION_CREDENTIALS is not set"
            .to_owned()
    })
}

fn az(of: Environment<'_>) -> String {
    let account = of("AZURE_STORAGE_ACCOUNT_NAME").unwrap_or_else(|| "without a name".to_owned());
    for (variable, what) in [
        ("AZURE_STORAGE_ACCOUNT_KEY", "the key of AZURE_STORAGE_ACCOUNT_KEY"),
        ("AZURE_STORAGE_SAS_TOKEN", "the token of AZURE_STORAGE_SAS_TOKEN"),
        ("AZURE_CLIENT_SECRET", "the secret of AZURE_CLIENT_SECRET"),
        ("AZURE_FEDERATED_TOKEN_FILE", "the token of AZURE_FEDERATED_TOKEN_FILE"),
    ] {
        if of(variable).is_some() {
            return format!("the account {account} (AZURE_STORAGE_ACCOUNT_NAME) and {what}");
        }
    }
    format!("the account {account} (AZURE_STORAGE_ACCOUNT_NAME) and this machine's identity")
}

/// The name of a key as it may be told: its beginning and its end.
fn shortened(key: &str) -> String {
    let characters: Vec<char> = key.chars().filter(|c| !c.is_control()).collect();
    if characters.len() < 12 {
        return characters.into_iter().take(4).chain(['…']).collect();
    }
    let (begin, end) = (&characters[..4], &characters[characters.len() - 4..]);
    begin.iter().chain(['…'].iter()).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_named_and_not_told() {
        for (scheme, set, expected) in [
            (
                Scheme::S3,
                &[("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cret")][..],
                "the key AKIA…MPLE of AWS_ACCESS_KEY_ID",
            ),
            (
                Scheme::S3,
                &[("AWS_ACCESS_KEY_ID", "minio")],
                "the key mini… of AWS_ACCESS_KEY_ID, and AWS_SECRET_ACCESS_KEY is not set",
            ),
            (Scheme::S3, &[], "what this machine's metadata service gives"),
            (Scheme::Gs, &[("GOOGLE_APPLICATION_CREDENTIALS", "/k.json")], "the file /k.json"),
            (
                Scheme::Az,
                &[("AZURE_STORAGE_ACCOUNT_NAME", "shop"), ("AZURE_STORAGE_ACCOUNT_KEY", "s3cret")],
                "the account shop (AZURE_STORAGE_ACCOUNT_NAME) and the key of AZURE_STORAGE_ACCOUNT_KEY",
            ),
        ] {
            let environment = |name: &str| {
                set.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
            };
            let told = described(scheme, false, &environment);
            assert!(told.starts_with(expected), "{told}");
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}
