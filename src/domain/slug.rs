//! Short ids: names as people can put them into a URL.

/// The slug of a name: `Acme, Inc.` is `acme-inc`; what has no letters or digits is `x`.
#[must_use]
pub fn slug(name: &str) -> String {
    const LENGTH_MAX: usize = 60;
    let mut slug = String::new();
    for c in deunicode::deunicode(name).chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if c != '\'' && !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= LENGTH_MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "x".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain_whatever_the_script() {
        let slugs = [
            ("Acme, Inc.", "acme-inc"),
            ("  O'Reilly & Söhne ", "oreilly-sohne"),
            ("日本電気", "ri-ben-dian-qi"),
            ("!!!", "x"),
        ];
        for (name, expected) in slugs {
            assert_eq!(slug(name), expected);
        }
        assert!(slug(&"a b".repeat(100)).len() <= 60);
    }
}
