//! The steps that a run is made of, and how they are drawn: from small pools, so that they meet.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tenure::{
    AliasKind, Change, CustomerAction, EntitlementSource, ResetPeriod, SubscriptionAction,
    SubscriptionKind, SubscriptionStatus, domain::tier_change::When,
};

pub type Text = &'static str;

/// A step, and where it is done.
#[derive(Debug, Clone)]
pub struct Call {
    pub org: Text,
    pub product: Text,
    pub step: Step,
}

/// Whom or what a step is about: the n-th of those that are known.
pub type Nth = u8;

/// From here on a number is of nobody, and the last is of somebody in the other org.
pub const NOBODY: Nth = 20;
pub const STRANGER: Nth = 21;

#[derive(Debug, Clone)]
pub struct Person {
    pub name: Option<Text>,
    pub email: Option<Text>,
    pub primary: Option<bool>,
}

#[derive(Debug, Clone)]
pub struct Profile {
    pub name: Option<Text>,
    pub company: Change<Text>,
    pub external: Change<Text>,
    pub email: Change<Text>,
    pub billing_email: Change<Text>,
    pub domain: Change<Text>,
    pub kind: Option<Text>,
    pub zone: Option<Text>,
    pub csm: Option<Nth>,
    pub since: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct Signup {
    pub external: Text,
    pub company: Option<Text>,
    pub domain: Option<Text>,
    pub email: Option<Text>,
    pub person: Option<Text>,
    pub tier: Option<Text>,
    pub session: Option<Text>,
    pub subscription: Option<Text>,
}

#[derive(Debug, Clone)]
pub struct Given {
    pub feature: Text,
    pub limit: Option<Text>,
    pub reset: ResetPeriod,
}

#[derive(Debug, Clone)]
pub struct Paid {
    pub tier: Text,
    pub kind: SubscriptionKind,
    pub status: SubscriptionStatus,
    pub start: Option<i64>,
    pub end: Option<i64>,
    pub stripe: Option<Text>,
    pub seats: u32,
    pub lift: Option<(Text, Option<Text>)>,
}

#[derive(Debug, Clone)]
pub struct Use {
    pub who: Nth,
    pub feature: Text,
    pub quantity: Text,
    pub key: Option<Text>,
    pub at: Option<i64>,
}

#[derive(Debug, Clone)]
pub enum Step {
    Feature {
        code: Text,
        overage: Option<Text>,
        active: Option<bool>,
    },
    Tier {
        code: Text,
        rank: Option<i64>,
        gives: Vec<Given>,
        fee: Option<i64>,
        price: Option<Text>,
    },
    Create(Profile),
    Update(Nth, Profile, Option<i64>),
    Move(Nth, CustomerAction),
    Delete(Nth),
    Restore(Nth),
    Ensure(Text, Option<Text>),
    Contact(Nth, Person),
    Contacts(Nth, Vec<Person>),
    EditContact(Nth, Person),
    DropContact(Nth),
    RenameAnew(Nth),
    Rename(Nth, Text),
    Award(Nth, Text),
    Unaward(Nth, Text),
    Register(Text, Text),
    Reassign(Nth, Nth),
    Leave(Nth, Option<Nth>),
    Link(Nth, Text, Option<Text>, Option<Text>, Option<Text>),
    Alias(Nth, AliasKind, Text),
    DropAlias(Nth),
    Unlink(Text),
    Smart(Text, Option<Text>, Option<Text>),
    ResetLinks(bool, bool),
    Onboard(Signup),
    Backfill(Vec<Signup>),
    Session(Text, bool, Option<Text>),
    Gateway(Text, Text, SubscriptionStatus),
    GatewayDown(bool),
    Claim(Nth, Text),
    TakeUp(Nth, Text, Option<Text>),
    Subscribe(Nth, Paid),
    Apply(Nth, Text, Option<(Text, Option<Text>)>),
    Upgrade(Nth, Text),
    Downgrade(Nth, Text, When),
    Cancel(Nth, When),
    MoveSubscription(Nth, SubscriptionAction),
    Migrate(Nth),
    SetAccess {
        who: Nth,
        gives: Given,
        enabled: Option<bool>,
        from: Option<i64>,
        until: Option<i64>,
    },
    Grant {
        who: Nth,
        gives: Given,
        source: EntitlementSource,
        key: Option<Text>,
        until: Option<i64>,
    },
    Suspend(Nth),
    Resume(Nth),
    Revoke(Nth),
    Track(Use),
    SetUsage(Use),
    Adjust(Use, Option<Nth>),
    Reconcile(Nth, Text),
    Tick,
    /// The clock is moved by so many seconds.
    Clock(i64),
    Acknowledge(Nth),
    Check(Nth, Text),
    Read(Nth, Text),
    /// Two steps in one transaction; whether an error of one is passed over.
    Both(Box<Step>, Box<Step>, bool),
    Preview(Box<Step>),
}

const FEATURES: [Text; 5] = ["credits", "seats", "disk", "sso", "nothing"];
const TIERS: [Text; 5] = ["starter", "pro", "free", "team", "nothing"];
const QUANTITIES: [Text; 9] = ["1", "2", "3", "0.5", "7", "40", "0", "-1", "9223372036854.775807"];
const KEYS: [Text; 6] = ["k1", "k2", "k3", "K1", "", "a\0b"];
const NAMES: [Text; 9] = [
    "Acme Inc.",
    "acme inc.",
    "Globex Corporation",
    "Gloebx",
    "Initech",
    "Über GmbH",
    "' OR 1=1 --",
    " ",
    "a\0b",
];
const EMAILS: [Text; 8] = [
    "ada@acme.com",
    "ADA@acme.com",
    "bob@globex.example",
    "eve@gmail.com",
    "x@initech.co.uk",
    "eve@acme.com",
    "nobody",
    "",
];
const DOMAINS: [Text; 6] =
    ["acme.com", "https://www.globex.example/x", "initech.co.uk", "gmail.com", "localhost", ""];
const ORGS: [Text; 5] = ["org_1", "org_2", "org_3", "", "../../etc"];
const DISPLAY: [Text; 4] = ["WildTiger42", "wildtiger42", "Calm Sea", "ab"];
const STRIPE: [Text; 3] = ["sub_1", "sub_2", ""];
const SESSIONS: [Text; 3] = ["cs_1", "cs_2", ""];
const PRICES: [Text; 3] = ["price_1", "price_2", "price_x"];
const KINDS: &[SubscriptionKind] = &[
    SubscriptionKind::Paid,
    SubscriptionKind::Paid,
    SubscriptionKind::Manual,
    SubscriptionKind::Free,
];
const JUMPS: [i64; 14] = [
    60,
    3_600,
    6 * 3_600,
    86_400,
    7 * 86_400,
    29 * 86_400,
    31 * 86_400,
    59,
    365 * 86_400,
    3 * 366 * 86_400,
    -60,
    -86_400,
    -40 * 86_400,
    -400 * 86_400,
];
/// How long before or after the clock usage lies.
const TIMES: [i64; 12] = [
    -1,
    -3_600,
    -86_400,
    -5 * 86_400,
    -20 * 86_400,
    -34 * 86_400,
    -36 * 86_400,
    0,
    1,
    180,
    300,
    301,
];
const DATES: [i64; 8] =
    [86_400, 10 * 86_400, 40 * 86_400, 400 * 86_400, -86_400, -40 * 86_400, 0, 3_600];

fn text(pool: &'static [Text]) -> impl Strategy<Value = Text> {
    select(pool)
}

fn often(pool: &'static [Text]) -> impl Strategy<Value = Option<Text>> {
    option::weighted(0.6, select(pool))
}

fn nth() -> impl Strategy<Value = Nth> {
    prop_oneof![9 => 0..5_u8, 2 => 5..NOBODY, 1 => NOBODY..=STRANGER]
}

fn date() -> impl Strategy<Value = Option<i64>> {
    option::weighted(0.25, select(&DATES[..]))
}

/// Kept, cleared, or one of the pool.
fn change(pool: &'static [Text]) -> impl Strategy<Value = Change<Text>> {
    prop_oneof![3 => Just(Change::Keep), 2 => select(pool).prop_map(Change::Set), 1 => Just(Change::Clear)]
}

fn person() -> impl Strategy<Value = Person> {
    (
        option::weighted(0.5, select(&["Ada Lovelace", "Bob", ""][..])),
        often(&EMAILS),
        any::<Option<bool>>(),
    )
        .prop_map(|(name, email, primary)| Person { name, email, primary })
}

fn profile() -> impl Strategy<Value = Profile> {
    let kind = option::weighted(0.3, select(&["business", "individual", "enterprise", "x"][..]));
    let zone = option::weighted(0.1, select(&["Europe/Berlin", "America/New_York", "Nowhere"][..]));
    (
        option::weighted(0.7, select(&NAMES[..])),
        change(&NAMES),
        change(&ORGS),
        change(&EMAILS),
        change(&EMAILS),
        change(&DOMAINS),
        kind,
        zone,
        option::weighted(0.2, nth()),
        option::weighted(0.1, select(&DATES[..])),
    )
        .prop_map(
            |(name, company, external, email, billing_email, domain, kind, zone, csm, since)| {
                Profile {
                    name,
                    company,
                    external,
                    email,
                    billing_email,
                    domain,
                    kind,
                    zone,
                    csm,
                    since,
                }
            },
        )
}

fn signup() -> impl Strategy<Value = Signup> {
    (
        text(&ORGS),
        often(&NAMES),
        often(&DOMAINS),
        often(&EMAILS),
        option::weighted(0.3, select(&["Ada Lovelace", "Bob"][..])),
        option::weighted(0.3, select(&TIERS[..])),
        option::weighted(0.15, select(&SESSIONS[..])),
        option::weighted(0.15, select(&STRIPE[..])),
    )
        .prop_map(|(external, company, domain, email, person, tier, session, subscription)| {
            Signup { external, company, domain, email, person, tier, session, subscription }
        })
}

fn given() -> impl Strategy<Value = Given> {
    let limit = option::weighted(0.8, select(&QUANTITIES[..]));
    (text(&FEATURES), limit, select(ResetPeriod::ALL)).prop_map(|(feature, limit, reset)| Given {
        feature,
        limit,
        reset,
    })
}

fn lift() -> impl Strategy<Value = Option<(Text, Option<Text>)>> {
    option::weighted(0.25, (text(&FEATURES), often(&QUANTITIES)))
}

fn paid() -> impl Strategy<Value = Paid> {
    let stripe = option::weighted(0.2, select(&STRIPE[..]));
    let status = prop_oneof![
        3 => Just(SubscriptionStatus::Active),
        2 => select(SubscriptionStatus::ALL),
    ];
    (text(&TIERS), select(KINDS), status, date(), date(), stripe, 0..4_u32, lift()).prop_map(
        |(tier, kind, status, start, end, stripe, seats, lift)| Paid {
            tier,
            kind,
            status,
            start,
            end,
            stripe,
            seats,
            lift,
        },
    )
}

fn usage() -> impl Strategy<Value = Use> {
    let feature = prop_oneof![3 => Just("credits"), 1 => text(&FEATURES)];
    let key = option::weighted(0.6, select(&KEYS[..]));
    let at = option::weighted(0.4, select(&TIMES[..]));
    (nth(), feature, text(&QUANTITIES), key, at).prop_map(|(who, feature, quantity, key, at)| Use {
        who,
        feature,
        quantity,
        key,
        at,
    })
}

fn when() -> impl Strategy<Value = When> {
    select(When::ALL)
}

fn simple() -> BoxedStrategy<Step> {
    let people = prop_oneof![
        3 => profile().prop_map(Step::Create),
        4 => (nth(), profile(), option::weighted(0.2, 1..4_i64)).prop_map(|(n, p, v)| Step::Update(n, p, v)),
        4 => (nth(), select(CustomerAction::ALL)).prop_map(|(n, a)| Step::Move(n, a)),
        2 => nth().prop_map(Step::Delete),
        2 => nth().prop_map(Step::Restore),
        2 => (text(&EMAILS), often(&NAMES)).prop_map(|(e, n)| Step::Ensure(e, n)),
        3 => (nth(), person()).prop_map(|(n, p)| Step::Contact(n, p)),
        1 => (nth(), prop::collection::vec(person(), 0..4)).prop_map(|(n, p)| Step::Contacts(n, p)),
        3 => (nth(), person()).prop_map(|(n, p)| Step::EditContact(n, p)),
        2 => nth().prop_map(Step::DropContact),
        1 => nth().prop_map(Step::RenameAnew),
        2 => (nth(), text(&DISPLAY)).prop_map(|(n, name)| Step::Rename(n, name)),
        1 => (nth(), select(&["vip", "early", ""][..])).prop_map(|(n, f)| Step::Award(n, f)),
        1 => (nth(), select(&["vip", "early", ""][..])).prop_map(|(n, f)| Step::Unaward(n, f)),
        2 => (select(&["u1", "u2", ""][..]), select(&["sales", "csm", "?"][..])).prop_map(|(k, r)| Step::Register(k, r)),
        1 => (nth(), nth()).prop_map(|(a, b)| Step::Reassign(a, b)),
        1 => (nth(), option::of(nth())).prop_map(|(a, b)| Step::Leave(a, b)),
    ];
    let linking = prop_oneof![
        2 => (nth(), text(&ORGS), option::of(select(&["Berlin", ""][..])), often(&NAMES), often(&DOMAINS))
            .prop_map(|(who, org, label, name, domain)| Step::Link(who, org, label, name, domain)),
        2 => (nth(), text(&NAMES)).prop_map(|(who, name)| Step::Alias(who, AliasKind::Name, name)),
        1 => (nth(), text(&DOMAINS)).prop_map(|(who, domain)| Step::Alias(who, AliasKind::Domain, domain)),
        1 => nth().prop_map(Step::DropAlias),
        1 => text(&ORGS).prop_map(Step::Unlink),
        2 => (text(&ORGS), often(&NAMES), often(&DOMAINS)).prop_map(|(o, n, d)| Step::Smart(o, n, d)),
        1 => any::<(bool, bool)>().prop_map(|(c, m)| Step::ResetLinks(c, m)),
        4 => signup().prop_map(Step::Onboard),
        1 => prop::collection::vec(signup(), 0..4).prop_map(Step::Backfill),
        2 => (text(&SESSIONS), prop::bool::weighted(0.8), often(&STRIPE)).prop_map(|(s, c, i)| Step::Session(s, c, i)),
        2 => (text(&STRIPE), text(&PRICES), select(SubscriptionStatus::ALL)).prop_map(|(i, p, s)| Step::Gateway(i, p, s)),
        1 => prop::bool::weighted(0.3).prop_map(Step::GatewayDown),
        2 => (nth(), text(&SESSIONS)).prop_map(|(n, s)| Step::Claim(n, s)),
        2 => (nth(), text(&STRIPE), option::of(text(&TIERS))).prop_map(|(n, s, t)| Step::TakeUp(n, s, t)),
    ];
    let overage = option::weighted(
        0.5,
        select(&["reject", "allow", "clamp", "grace", "percent", "less"][..]),
    );
    let catalogue = prop_oneof![
        1 => (text(&FEATURES[..4]), overage, option::weighted(0.3, any::<bool>()))
            .prop_map(|(code, overage, active)| Step::Feature { code, overage, active }),
        1 => (text(&TIERS[..4]), option::of(0..4_i64), prop::collection::vec(given(), 0..3),
                option::of(select(&[0, 4_900, -1, i64::MAX][..])), option::of(text(&PRICES)))
            .prop_map(|(code, rank, gives, fee, price)| Step::Tier { code, rank, gives, fee, price }),
        3 => (nth(), paid()).prop_map(|(n, p)| Step::Subscribe(n, p)),
        3 => (nth(), text(&TIERS), lift()).prop_map(|(n, t, l)| Step::Apply(n, t, l)),
        1 => (nth(), text(&TIERS)).prop_map(|(n, t)| Step::Upgrade(n, t)),
        2 => (nth(), text(&TIERS), when()).prop_map(|(n, t, w)| Step::Downgrade(n, t, w)),
        2 => (nth(), when()).prop_map(|(n, w)| Step::Cancel(n, w)),
        4 => (nth(), select(SubscriptionAction::ALL)).prop_map(|(n, a)| Step::MoveSubscription(n, a)),
        1 => nth().prop_map(Step::Migrate),
        3 => (nth(), given(), option::weighted(0.3, any::<bool>()), date(), date()).prop_map(
            |(who, gives, enabled, from, until)| Step::SetAccess { who, gives, enabled, from, until }),
        3 => (nth(), given(), select(EntitlementSource::ALL), often(&KEYS), date()).prop_map(
            |(who, gives, source, key, until)| Step::Grant { who, gives, source, key, until }),
        1 => nth().prop_map(Step::Suspend),
        1 => nth().prop_map(Step::Resume),
        1 => nth().prop_map(Step::Revoke),
    ];
    let metering = prop_oneof![
        8 => usage().prop_map(Step::Track),
        2 => usage().prop_map(Step::SetUsage),
        3 => (usage(), option::of(nth())).prop_map(|(u, n)| Step::Adjust(u, n)),
        1 => (nth(), text(&FEATURES)).prop_map(|(n, f)| Step::Reconcile(n, f)),
        2 => (nth(), text(&FEATURES)).prop_map(|(n, f)| Step::Check(n, f)),
    ];
    prop_oneof![4 => people, 2 => linking, 4 => catalogue, 5 => metering].boxed()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => simple(),
        3 => select(&JUMPS[..]).prop_map(Step::Clock),
        2 => Just(Step::Tick),
        1 => (0..8_u8).prop_map(Step::Acknowledge),
        1 => (nth(), text(&FEATURES)).prop_map(|(n, f)| Step::Read(n, f)),
        2 => (simple(), simple(), any::<bool>()).prop_map(|(a, b, over)| Step::Both(a.into(), b.into(), over)),
        1 => simple().prop_map(|it| Step::Preview(it.into())),
    ]
}

pub fn calls() -> impl Strategy<Value = Vec<Call>> {
    let org = prop_oneof![6 => Just("north"), 1 => Just("south")];
    let product = prop_oneof![3 => Just("default"), 1 => Just("mobile")];
    let call = (org, product, step()).prop_map(|(org, product, step)| Call { org, product, step });
    prop::collection::vec(call, 1..60)
}
