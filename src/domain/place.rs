//! Places that names of companies carry in brackets, to say which part of a company is meant: `Acme
//! (Thailand)`.
//!
//! Countries, regions and big cities, a word each and folded as names are, by common knowledge. The
//! table is meant to be plentiful, not complete: a missing place makes a customer be found by it.

/// Whether a folded word is a place.
pub(crate) fn is_place(word: &str) -> bool {
    PLACES.binary_search(&word).is_ok()
}

/// Sorted, for the binary search.
#[rustfmt::skip]
const PLACES: &[&str] = &[
    "africa", "albania", "algeria", "america", "amsterdam", "angola", "argentina", "armenia",
    "asia", "athens", "aust", "australia", "austria", "azerbaijan", "bahrain", "bangalore",
    "bangkok", "bangladesh", "barcelona", "beijing", "belarus", "belgium", "berlin", "bermuda",
    "bolivia", "bombay", "boston", "botswana", "brasil", "brazil", "brisbane", "brussels",
    "bucharest", "budapest", "bulgaria", "california", "cambodia", "cameroon", "canada", "cayman",
    "changzhou", "chengdu", "chennai", "chicago", "chile", "china", "chongqing", "colombia",
    "copenhagen", "croatia", "cyprus", "czech", "dalian", "delhi", "denmark", "deutschland",
    "dongguan", "dubai", "dublin", "ecuador", "egypt", "emirates", "england", "espana", "estonia",
    "ethiopia", "eu", "europe", "finland", "florida", "foshan", "france", "frankfurt", "fujian",
    "fuzhou", "geneva", "georgia", "germany", "ghana", "gibraltar", "greece", "guangdong",
    "guangxi", "guangzhou", "guatemala", "guernsey", "guizhou", "hamburg", "hangzhou", "hebei",
    "hefei", "helsinki", "henan", "hk", "holland", "honduras", "hong", "houston", "hubei", "hunan",
    "hungary", "hyderabad", "iceland", "india", "indonesia", "iran", "iraq", "ireland", "israel",
    "istanbul", "italia", "italy", "jakarta", "jamaica", "japan", "jersey", "jiangsu", "jinan",
    "johannesburg", "kazakhstan", "kenya", "kong", "korea", "kunshan", "kuwait", "lanka", "laos",
    "latvia", "lebanon", "liechtenstein", "lisbon", "lithuania", "london", "luxembourg", "macau",
    "madrid", "malaysia", "malta", "manchester", "manila", "mauritius", "melbourne", "mexico",
    "milan", "moldova", "monaco", "mongolia", "montreal", "morocco", "moscow", "mozambique",
    "mumbai", "munich", "myanmar", "namibia", "nanjing", "nepal", "netherlands", "nigeria",
    "ningbo", "norge", "norway", "nz", "oman", "osaka", "pakistan", "panama", "paraguay", "paris",
    "peru", "philippines", "poland", "portugal", "prague", "qatar", "qingdao", "romania", "rome",
    "russia", "rwanda", "saudi", "scotland", "senegal", "seoul", "serbia", "shandong", "shanghai",
    "shenyang", "shenzhen", "sichuan", "singapore", "slovakia", "slovenia", "spain", "stockholm",
    "suisse", "suzhou", "sverige", "sweden", "switzerland", "sydney", "taipei", "taiwan",
    "tanzania", "texas", "thailand", "tianjin", "tokyo", "toronto", "tunisia", "turkey", "turkiye",
    "uae", "uganda", "uk", "ukraine", "uruguay", "us", "usa", "uzbekistan", "vancouver",
    "venezuela", "vienna", "vietnam", "wales", "warsaw", "washington", "wuhan", "wuxi", "xiamen",
    "xian", "zambia", "zealand", "zhejiang", "zhengzhou", "zhuhai", "zimbabwe", "zurich",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_unique() {
        assert!(PLACES.is_sorted_by(|a, b| a < b));
        assert!(is_place("thailand") && !is_place("acme"));
    }
}
