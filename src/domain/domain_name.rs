//! Domain names as people type them, and which part of one an organisation registered: what smart
//! linking compares and what a customer's `domain` holds.

use crate::domain::free_mail;
use crate::domain::text::{Malformed, checked_text};

/// The longest host name, in bytes (RFC 1035, 2.3.4, without the root's length byte and dot).
pub const HOST_MAX: usize = 253;

/// The longest label between two dots, in bytes (RFC 1035, 2.3.4).
pub const LABEL_MAX: usize = 63;

/// The longest text that is looked at, in bytes: what browsers and proxies accept as a URL.
pub const TYPED_MAX: usize = 2_048;

/// Top-level names kept for documentation and tests (RFC 2606), which no list of suffixes knows.
#[cfg(feature = "psl")]
const RESERVED: [&str; 2] = ["example", "test"];

/// A registrable domain, in lower case: the name one level below a public suffix, which one
/// organisation registered, such as `acme.co.uk`.
///
/// Read from whatever people paste: scheme, user, port, path, subdomains and a trailing dot are
/// dropped. With the feature `psl` the public suffix list decides what a suffix is; a name below a
/// suffix on which a provider gives out names (`acme.github.io`) is a domain of its own. Without
/// it, a short rule serves: a second-level word such as `co` or `com` below a country's domain is
/// part of the suffix. With the feature `idn` other scripts take their ASCII form, so both
/// spellings are equal; without it they stay in lower case as typed.
///
/// ```
/// use tenure::domain::domain_name::DomainName;
///
/// let domain = DomainName::parse("https://WWW.Acme.co.uk/about?x")?;
/// assert_eq!(domain.as_str(), "acme.co.uk");
/// assert_eq!(domain.label(), "acme");
/// assert!(DomainName::parse("10.0.0.1").is_err());
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(String);

checked_text!(DomainName);

impl DomainName {
    /// The registrable domain in `text`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] when `text` has no host name, or its host is an IP address, a single label,
    /// a public suffix itself or below an unknown top-level domain.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let no = |rule| Malformed::new(text, rule);
        let typed = text.trim();
        if typed.len() > TYPED_MAX {
            return Err(no("must be a domain of at most 253 bytes"));
        }
        let host = host_of(typed).and_then(host).ok_or_else(|| no("must be a domain"))?;
        registrable(&host).map(Self).ok_or_else(|| no("must be a domain that can be registered"))
    }

    /// One that was parsed before it was kept.
    pub(crate) fn kept(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The registrable domain; the same as [`as_str`](Self::as_str).
    #[must_use]
    pub fn registrable(&self) -> &str {
        &self.0
    }

    /// The label left of the suffix, which often is the name of the company: `acme` of
    /// `acme.co.uk`.
    #[must_use]
    pub fn label(&self) -> &str {
        self.0.split_once('.').map_or(&self.0, |(label, _)| label)
    }
}

/// The host part of a URL or of what looks like one.
fn host_of(typed: &str) -> Option<&str> {
    let scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let rest = match typed.split_once("://") {
        Some((before, after)) if before.chars().all(scheme) => after,
        _ => typed.strip_prefix("//").unwrap_or(typed),
    };
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let address = authority.rsplit_once('@').map_or(authority, |(_user, address)| address);
    let host = match address.split_once(':') {
        // A second colon is an IPv6 address, which is nobody's name.
        Some((host, port)) if port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) => return None,
        None => address,
    };
    Some(host.strip_suffix('.').unwrap_or(host))
}

/// `text` as the name of a host with at least one dot, in lower case and, with the feature `idn`,
/// in ASCII; `None` if it is not one or is an IPv4 address.
pub(crate) fn host(text: &str) -> Option<String> {
    let host = ascii(text)?;
    let top = host.rsplit('.').next()?;
    let numeric = top.bytes().all(|b| b.is_ascii_digit()) || top.starts_with("0x");
    let sound = host.len() <= HOST_MAX && host.contains('.') && !numeric;
    (sound && host.split('.').all(is_label)).then_some(host)
}

#[cfg(feature = "idn")]
fn ascii(text: &str) -> Option<String> {
    if text.is_ascii() && !text.to_ascii_lowercase().contains("xn--") {
        return Some(text.to_ascii_lowercase());
    }
    idna::domain_to_ascii(text).ok()
}

#[cfg(not(feature = "idn"))]
#[expect(clippy::unnecessary_wraps, reason = "the conversion of the feature `idn` can fail")]
fn ascii(text: &str) -> Option<String> {
    Some(text.chars().flat_map(char::to_lowercase).collect())
}

/// Letters, digits and inner hyphens (RFC 1123, 2.1), where a letter may be of any script.
fn is_label(label: &str) -> bool {
    let mark = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let letter = |c: char| match c {
        '\0'..='\x7f' => c.is_ascii_alphanumeric() || c == '-',
        _ => c.is_alphanumeric() || mark(c),
    };
    let edge = label.starts_with('-') || label.ends_with('-') || label.starts_with(mark);
    !label.is_empty() && label.len() <= LABEL_MAX && !edge && label.chars().all(letter)
}

/// The part of `host` that one party registered.
fn registrable(host: &str) -> Option<String> {
    let by_suffix = below(host, suffix_of(host)?)?;
    // A provider's own site, not a name that it gave out.
    if let Some(provider) = by_suffix.strip_prefix("www.")
        && is_provider_suffix(provider)
    {
        return Some(provider.to_owned());
    }
    // Providers that give out names below their own domain: the longer name is the one that
    // belongs to a party, or to all the public at once.
    if let Some(shared) = free_mail::shared_host(host)
        && shared.len() > by_suffix.len()
    {
        return Some(shared.to_owned());
    }
    if free_mail::gives_out_names(by_suffix) && host != by_suffix {
        let name = below(host, by_suffix)?;
        return Some(if name.starts_with("www.") { by_suffix } else { name }.to_owned());
    }
    Some(by_suffix.to_owned())
}

/// `suffix` with one more label of `host`; `suffix` itself if it is all there is and it was
/// registered by a provider that gives out names.
fn below<'a>(host: &'a str, suffix: &str) -> Option<&'a str> {
    let before = host.strip_suffix(suffix)?.strip_suffix('.');
    let Some(before) = before else {
        return is_provider_suffix(host).then_some(host);
    };
    let start = before.rfind('.').map_or(0, |dot| dot.saturating_add(1));
    host.get(start..)
}

/// Whether all of `host` is a suffix under which a provider, not a registry, gives out names.
#[cfg(feature = "psl")]
pub(crate) fn is_provider_suffix(host: &str) -> bool {
    let suffix = psl::suffix(host.as_bytes());
    suffix
        .is_some_and(|it| it.typ() == Some(psl::Type::Private) && it.as_bytes().len() == host.len())
}

#[cfg(not(feature = "psl"))]
pub(crate) const fn is_provider_suffix(_host: &str) -> bool {
    false
}

#[cfg(feature = "psl")]
fn suffix_of(host: &str) -> Option<&str> {
    let top = host.rsplit('.').next()?;
    if RESERVED.contains(&top) {
        return Some(top);
    }
    let suffix = psl::suffix(host.as_bytes()).filter(psl::Suffix::is_known)?;
    let start = host.len().checked_sub(suffix.as_bytes().len())?;
    host.get(start..)
}

#[cfg(not(feature = "psl"))]
fn suffix_of(host: &str) -> Option<&str> {
    /// Words that registries of countries put below their domain, by common knowledge.
    const SECOND_LEVEL: [&str; 22] = [
        "ac", "asn", "co", "com", "edu", "gen", "go", "gob", "gouv", "gov", "gv", "id", "ltd",
        "mil", "ne", "net", "nom", "or", "org", "plc", "school", "web",
    ];
    let (rest, top) = host.rsplit_once('.')?;
    let second = rest.rsplit('.').next()?;
    let length = second.len().checked_add(top.len())?.checked_add(1)?;
    let both = host.get(host.len().checked_sub(length)?..)?;
    // Some such words were registered before the rule, by providers for the public.
    let provider = free_mail::shared_host(both) == Some(both);
    let country = top.len() == 2 && SECOND_LEVEL.contains(&second) && !provider;
    Some(if country { both } else { top })
}

#[cfg(test)]
mod tests;
