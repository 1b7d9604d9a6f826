//! Legal forms of companies: the words such as `Inc`, `GmbH & Co. KG` or `株式会社` that say how a
//! company is constituted and not which one it is.
//!
//! The tables hold folded tokens as [`CompanyName`](crate::domain::company_name::CompanyName)
//! makes them: in lower case, without accents and dots, `and` left out, single letters in a row
//! joined. They come from general knowledge of the forms that registers use, and their short forms
//! and translations.

use std::collections::HashSet;
use std::sync::LazyLock;

/// The most tokens that one form has.
pub const TOKENS_MAX: usize = 6;

/// The longest legal form that ends `tokens`: how many tokens it has, and the form.
pub(crate) fn at_end(tokens: &[String]) -> Option<(usize, &'static str)> {
    /// The words with which a form ends: few names end in one, so that few are looked at further.
    static LAST: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        ENDING.iter().map(|form| form.rsplit_once(' ').map_or(*form, |(_, last)| last)).collect()
    });
    tokens.last().filter(|last| LAST.contains(last.as_str()))?;
    longest(tokens, ENDING, |count| tokens.get(tokens.len().checked_sub(count)?..))
}

/// The longest legal form with which `tokens` begin: how many tokens it has, and the form.
pub(crate) fn at_start(tokens: &[String]) -> Option<(usize, &'static str)> {
    /// The words with which a form begins.
    static FIRST: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        LEADING.iter().map(|form| form.split_once(' ').map_or(*form, |(first, _)| first)).collect()
    });
    tokens.first().filter(|first| FIRST.contains(first.as_str()))?;
    longest(tokens, LEADING, |count| tokens.get(..count))
}

/// The form that is written so.
pub(crate) fn named(form: &str) -> Option<&'static str> {
    [ENDING, LEADING].into_iter().find_map(|table| {
        let index = table.binary_search(&form).ok()?;
        table.get(index).copied()
    })
}

fn longest<'a>(
    tokens: &[String],
    table: &[&'static str],
    part: impl Fn(usize) -> Option<&'a [String]>,
) -> Option<(usize, &'static str)> {
    (1..=TOKENS_MAX.min(tokens.len())).rev().find_map(|count| {
        let words = part(count)?.join(" ");
        let index = table.binary_search(&words.as_str()).ok()?;
        table.get(index).map(|form| (count, *form))
    })
}

/// Splits off a form that is written onto the name, as scripts without spaces do: what comes
/// first, and what comes after it.
pub(crate) fn unglue(token: &str) -> Option<(&str, &str)> {
    GLUED.iter().find_map(|form| {
        let whole = token.len() == form.len();
        let after = || token.strip_suffix(form).map(|name| (name, *form));
        let before = || token.strip_prefix(form).map(|name| (*form, name));
        after().or_else(before).filter(|_| !whole)
    })
}

/// Whether `token` is a form that [`unglue`] splits off.
pub(crate) fn is_glued(token: &str) -> bool {
    GLUED.contains(&token)
}

/// Sorted, for the binary search.
#[rustfmt::skip]
const ENDING: &[&str] = &[
    "(주)", "ab", "ab oy", "ab publ", "abee", "abp", "ad", "ae", "aebe", "ag", "ag co kg",
    "ag co kgaa", "ag co ohg", "aisbl", "akciju sabiedriba", "akciova spolecnost",
    "akciova spolocnost", "aksjeselskap", "aktiebolag", "aktiengesellschaft", "aktieselskab",
    "aktsiaselts", "allmennaksjeselskap", "amba", "anonim sirketi", "anpartsselskab", "ans", "aps",
    "as", "asa", "asbl", "berhad", "besloten vennootschap", "bhd", "bsc", "bscc", "bt", "bv",
    "bv srl", "bvba", "cia ltda", "cie", "cio", "cjsc", "clg", "closed joint stock company", "co",
    "co corp", "co corporation", "co inc", "co kg", "co kgaa", "co limited", "co llc", "co lp",
    "co ltd", "co ltd kk", "co ohg", "comm v", "community interest company", "compagnie",
    "companhia aberta", "company", "company inc", "company limited", "company limited by guarantee",
    "company ltd", "cong ty", "cong ty co phan", "cong ty tnhh", "cong ty trach nhiem huu han",
    "cooperatie ua", "corp", "corp inc", "corp ltd", "corporation", "ctcp", "cv", "cvba", "d oo",
    "dac", "dd", "designated activity company", "dmcc", "dno", "doo", "e kfm", "ead", "eeig", "eg",
    "ehf", "eireli", "eirl", "ek", "ek fr", "eood", "epe", "epp", "et cie", "eurl", "ev", "ewiv",
    "fcp", "fie", "fz llc", "fzc", "fzco", "fze", "g mbh", "gbr", "general partnership", "ges mbh",
    "gesellschaft mit beschrankter haftung", "gesmbh", "ggmbh", "gie", "gk", "gmbh", "gmbh cie kg",
    "gmbh co", "gmbh co kg", "gmbh co kgaa", "gmbh co ohg", "godo kaisha", "gp", "gug",
    "haftungsbeschrankt", "handelsbolag", "hb", "hf", "ike", "inc", "inc co", "incorporated",
    "invag", "investmentaktiengesellschaft", "ivs", "jdoo", "joint stock co", "joint stock company",
    "jsc", "julkinen osakeyhtio", "kabushiki kaisha", "kabushikigaisha", "kb", "kd", "keg", "kft",
    "kg", "kg aa", "kgaa", "kk", "kkt", "kommanditgesellschaft", "kommanditgesellschaft auf aktien",
    "kommanditselskab", "korlatolt felelossegu tarsasag", "kpsc", "ks", "ksc", "kscc", "kscp", "ky",
    "lda", "limitada", "limited", "limited company", "limited liability company",
    "limited liability partnership", "limited partnership", "limited sirketi", "limitee", "llc",
    "lllp", "llp", "lp", "ltd", "ltd co", "ltd company", "ltd sti", "ltda", "ltda epp", "ltda me",
    "ltee", "mb", "mbb", "mbh", "mtv", "naamloze vennootschap", "npc", "nuf", "nv", "nv sa", "nyrt",
    "oao", "offene handelsgesellschaft", "og", "ohf", "ohg", "ojsc", "onlus", "ood", "ooo",
    "open joint stock company", "ops", "osakeyhtio", "osk", "ou", "oy", "oy ab", "oyj", "oyj abp",
    "p limited", "p ltd", "pao", "partg", "partg mbb", "partgmbb", "pbc", "pcl", "pclc", "persero",
    "persero tbk", "perseroan terbatas", "pjsc", "plc", "pllc", "plt", "prat", "private limited",
    "private ltd", "proprietary", "proprietary limited", "proprietary ltd", "psc", "pt", "pt ltd",
    "pte", "pte limited", "pte ltd", "pty", "pty limited", "pty ltd", "publ", "public co ltd",
    "public company limited", "public company ltd", "public joint stock company",
    "public limited company", "pvt", "pvt limited", "pvt ltd", "qjsc", "qpsc", "qsc", "reit ag",
    "ry", "s coop", "s de rl", "s de rl de cv", "s ro", "sa", "sa de cv", "sa esp", "sa nv", "saa",
    "sab", "sab de cv", "sabiedriba ar ierobezotu atbildibu", "sac", "saci", "sacif", "sae", "saic",
    "saicf", "san tic as", "san tic ltd sti", "san ve tic as", "san ve tic ltd sti",
    "sanayi ticaret as", "sanayi ve ticaret anonim sirketi", "sanayi ve ticaret as",
    "sanayi ve ticaret limited sirketi", "sanayi ve ticaret ltd sti", "saoc", "saog", "sapa",
    "sapi", "sapi de cv", "sapib de cv", "sarl", "sarl au", "sarlau", "sas", "sas de cv", "sasu",
    "sau", "saudi joint stock company", "sc de rl", "sca", "scarl", "sce", "sci", "scio", "scl",
    "scm", "scop", "scpi", "scrl", "scrl onlus", "scs", "sdn berhad", "sdn bhd", "se", "se co kg",
    "se co kgaa", "sef", "selarl", "selas", "senc", "sendirian berhad", "ses", "sgps", "sgps sa",
    "sh a", "sh pk", "sha", "shpk", "sia", "sicaf", "sicav", "ska", "sl", "slf", "sll", "slne",
    "slp", "slu", "snc", "soc coop", "sociedad anonima",
    "sociedad anonima bursatil de capital variable", "sociedad anonima de capital variable",
    "sociedad anonima unipersonal", "sociedad cooperativa", "sociedad limitada",
    "sociedade anonima", "societa a responsabilita limitata", "societa benefit",
    "societa cooperativa", "societa per azioni", "societas europaea", "societate pe actiuni",
    "societe a responsabilite limitee", "societe anonyme", "societe en commandite par actions",
    "societe europeenne", "societe par actions simplifiee", "socimi", "socimi sa", "socio unico",
    "sofom enr", "sofom er", "sole proprietorship", "sp j", "sp k", "sp rl", "sp z oo",
    "sp z oo sk", "sp z oo sp k", "sp zoo", "spa", "spj", "spk", "spol s ro", "spol sro",
    "spolecnost s rucenim omezenym", "spolka akcyjna", "spolka komandytowa",
    "spolka z ograniczona odpowiedzialnoscia", "spolocnost s rucenim obmedzenym", "sprl", "srl",
    "srl bv", "srl unipersonale", "srls", "sro", "sti", "suarl", "tas", "tbk", "tbk pt",
    "tic ltd sti", "tmi", "tnhh", "tnhh mtv", "too", "tov", "ua", "uab", "ud", "ug", "ug co kg",
    "ug haftungsbeschrankt", "ug haftungsbeschrankt co kg", "ulc", "unipersonale", "unipessoal",
    "unipessoal lda", "unlimited company", "ve ticaret anonim sirketi", "ve ticaret as", "vof",
    "vos", "vsi", "vvag", "vzw", "wll", "yk", "yugen kaisha", "zao", "zrt", "αβεε", "αε", "αεβε",
    "επε", "ικε", "οε", "акционерное общество", "ао", "ат", "гуп", "дд", "доо", "еад", "еоод",
    "зао", "муп", "нко", "оао", "общество с ограниченнои ответственностью", "оод", "ооо", "пао",
    "пат", "пп", "прат", "публичное акционерное общество", "тов", "тоо", "фгуп", "фоп", "чп", "בעמ",
    "شركة مساهمة", "شمع", "شمم", "จากัด", "จํากัด", "จํากัด มหาชน", "บมจ", "บริษัท", "หจก",
    "一般社団法人", "公司", "公益財団法人", "合同会社", "合名会社", "合資会社", "控股有限公司", "有", "有限会社", "有限公司", "有限責任公司",
    "有限责任公司", "株", "株式会社", "股份", "股份公司", "股份有限公司", "集团", "集团有限公司", "集团股份有限公司", "集團", "集團有限公司",
    "유한책임회사", "유한회사", "주", "주식회사", "합자회사",
];

/// Those that also stand in front of a name, sorted. Fewer, since many a name begins with letters
/// that are a form elsewhere: `SE Labs`, `AG Insurance`.
#[rustfmt::skip]
const LEADING: &[&str] = &[
    "ab", "akciova spolecnost", "asbl", "cjsc", "cong ty", "cong ty co phan", "cong ty tnhh",
    "cong ty tnhh mtv", "ctcp", "cv", "eurl", "gie", "gmbh", "jsc", "kabushiki kaisha", "oao",
    "ojsc", "ooo", "ou", "oy", "pao", "pjsc", "pt", "sarl", "sas", "sasu", "sci", "sia", "too",
    "tov", "uab", "ud", "vzw", "zao", "акционерное общество", "ао", "зао", "ип", "оао",
    "общество с ограниченнои ответственностью", "ооо", "пао", "публичное акционерное общество",
    "тов", "тоо", "شركة", "شركة مساهمة", "บมจ", "บริษัท", "合同会社", "有", "有限会社", "株", "株式会社", "유한회사",
    "주", "주식회사",
];

/// The longest first, so that `股份有限公司` goes whole.
#[rustfmt::skip]
const GLUED: &[&str] = &[
    "集团股份有限公司", "บริษัท", "一般社団法人", "公益財団法人", "控股有限公司", "有限責任公司", "有限责任公司", "股份有限公司", "集团有限公司",
    "集團有限公司", "จํากัด", "合同会社", "合名会社", "合資会社", "有限会社", "有限公司", "株式会社", "股份公司", "유한회사", "주식회사",
    "公司",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_tables_are_sorted_unique_and_folded() {
        for table in [ENDING, LEADING] {
            assert!(table.is_sorted_by(|a, b| a < b));
            assert!(table.iter().all(|form| *form == form.to_lowercase()));
            assert!(table.iter().all(|form| form.split(' ').count() <= TOKENS_MAX));
        }
        assert!(GLUED.is_sorted_by_key(|form| std::cmp::Reverse(form.chars().count())));
    }

    #[test]
    fn every_form_is_found_whole() {
        let whole = |form: &&'static str| (form.split(' ').count(), *form);
        assert!(ENDING.iter().all(|form| at_end(&tokens(form)) == Some(whole(form))));
        assert!(LEADING.iter().all(|form| at_start(&tokens(form)) == Some(whole(form))));
    }

    #[test]
    fn the_longest_form_is_found() {
        assert_eq!(at_end(&tokens("acme gmbh co kg")), Some((3, "gmbh co kg")));
        assert_eq!(at_end(&tokens("acme s de rl de cv")), Some((5, "s de rl de cv")));
        assert_eq!(at_start(&tokens("pt acme tbk")), Some((1, "pt")));
        assert_eq!(at_end(&tokens("acme")), None);
        assert_eq!(at_start(&tokens("ag insurance")), None);
        assert_eq!(at_end(&[]), None);
    }

    #[test]
    fn forms_written_onto_the_name_come_off() {
        assert_eq!(unglue("トヨタ株式会社"), Some(("トヨタ", "株式会社")));
        assert_eq!(unglue("株式会社トヨタ"), Some(("株式会社", "トヨタ")));
        assert_eq!(unglue("株式会社"), None);
        assert_eq!(unglue("acme"), None);
    }
}
