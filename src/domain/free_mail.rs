//! Domains that many share, so that they never tell which company somebody belongs to: free-mail
//! and access providers, site builders, shared hosting, social networks.
//!
//! The tables were put together from the public knowledge of what these providers offer. They are
//! meant to be plentiful, not complete: a missing provider makes a link more confident than it
//! should be, so add the ones that you meet.

use crate::domain::domain_name::{DomainName, is_provider_suffix};

/// Whether `domain` belongs to the public at large and never counts as a company's.
///
/// ```
/// use tenure::domain::{domain_name::DomainName, free_mail::is_shared};
///
/// assert!(is_shared(&DomainName::parse("mail.yahoo.co.uk")?));
/// assert!(!is_shared(&DomainName::parse("acme.co.uk")?));
/// # Ok::<(), tenure::domain::text::Malformed>(())
/// ```
#[must_use]
pub fn is_shared(domain: &DomainName) -> bool {
    let name = domain.as_str();
    let everywhere = EVERYWHERE.contains(&domain.label());
    everywhere || SHARED.binary_search(&name).is_ok() || is_provider_suffix(name)
}

/// The longest of `host` and the domains above it that is shared.
pub(crate) fn shared_host(host: &str) -> Option<&str> {
    let mut name = Some(host);
    while let Some(this) = name {
        if SHARED.binary_search(&this).is_ok() {
            return Some(this);
        }
        name = this.split_once('.').map(|(_, above)| above);
    }
    None
}

/// Whether a company of this `domain` gives each of its customers a name below it that the public
/// suffix list does not know of: `acme.hubspot.com` is Acme's, `hubspot.com` is not.
pub(crate) fn gives_out_names(domain: &str) -> bool {
    LANDLORDS.binary_search(&domain).is_ok()
}

/// Providers with a domain in so many countries that the label tells them.
const EVERYWHERE: [&str; 7] =
    ["blogspot", "gmail", "gmx", "googlemail", "hotmail", "webnode", "yahoo"];

#[rustfmt::skip]
const LANDLORDS: &[&str] = &[
    "atlassian.net", "bigcommerce.com", "freshdesk.com", "hubspot.com", "jimdo.com",
    "salesforce.com", "shopify.com", "slack.com", "squarespace.com", "wix.com", "zendesk.com",
    "zoom.us",
];

/// Sorted, for the binary search.
#[rustfmt::skip]
const SHARED: &[&str] = &[
    "000webhostapp.com", "012.net.il", "10minutemail.com", "126.com", "139.com", "163.com",
    "188.com", "189.cn", "1und1.de", "21cn.com", "263.net", "a1.net", "about.me", "abv.bg",
    "aim.com", "airtelmail.in", "alibaba.com", "alice.it", "aliceadsl.fr", "aliexpress.com",
    "aliyun.com", "altervista.org", "amazonaws.com", "ameblo.jp", "ameritech.net", "angelfire.com",
    "anonaddy.com", "aol.co.uk", "aol.com", "aol.de", "aol.fr", "aon.at", "apps.apple.com",
    "appspot.com", "archive.org", "arcor.de", "arnet.com.ar", "aruba.it", "atlas.cz", "att.net",
    "autorambler.ru", "azet.sk", "azurewebsites.net", "bbox.fr", "beacons.ai", "behance.net",
    "bell.net", "bellsouth.net", "bezeqint.net", "bigcartel.com", "biglobe.ne.jp", "bigmir.net",
    "bigpond.com", "bigpond.net.au", "bio.link", "bit.ly", "bitbucket.io", "bitbucket.org", "bk.ru",
    "blogger.com", "blogspot.com", "bluewin.ch", "blueyonder.co.uk", "bol.com.br", "bravesites.com",
    "bredband.net", "broadpark.no", "bsky.app", "bsnl.in", "btinternet.com", "btopenworld.com",
    "burnermail.io", "business.google.com", "business.site", "calendly.com", "canva.site",
    "caramail.com", "cargo.site", "carrd.co", "casema.nl", "cegetel.net", "centrum.cz",
    "centrum.sk", "centurylink.net", "charter.net", "chello.at", "chello.nl", "citromail.hu",
    "ciudad.com.ar", "clix.pt", "cloudapp.net", "cloudfront.net", "club-internet.fr", "cogeco.ca",
    "comcast.net", "comhem.se", "compuserve.com", "consultant.com", "countermail.com", "cox.net",
    "crunchbase.com", "ctemplar.com", "daum.net", "delfi.lv", "dir.bg", "discord.com", "discord.gg",
    "dispostable.com", "disroot.org", "docomo.ne.jp", "docs.google.com", "dreamwiz.com",
    "dribbble.com", "drive.google.com", "dropbox.com", "dropboxusercontent.com", "duck.com",
    "earthlink.net", "ebay.com", "ecwid.com", "eircom.net", "elasticbeanstalk.com", "elisanet.fi",
    "email.com", "email.cz", "email.de", "email.it", "email.ua", "embarqmail.com",
    "emirates.net.ae", "empas.com", "engineer.com", "etsy.com", "eunet.rs", "europe.com",
    "eventbrite.com", "ewe.net", "ewetel.net", "excite.co.jp", "excite.com", "ezweb.ne.jp",
    "facebook.com", "fakeinbox.com", "fastmail.com", "fastmail.fm", "fastwebnet.it", "fb.com",
    "fb.me", "fibertel.com.ar", "firebaseapp.com", "flickr.com", "fly.dev", "force.com",
    "forms.gle", "forms.office.com", "forthnet.gr", "foxmail.com", "framer.app", "framer.website",
    "free.fr", "freemail.hu", "freenet.de", "freeserve.co.uk", "freewebs.com", "frontier.com",
    "frontiernet.net", "g.page", "gazeta.pl", "geocities.com", "getmail.no", "getnada.com",
    "gitbook.io", "github.com", "github.io", "gitlab.com", "gitlab.io", "glassdoor.com",
    "glitch.me", "globo.com", "globomail.com", "gmail.com", "gmx.at", "gmx.ch", "gmx.co.uk",
    "gmx.com", "gmx.de", "gmx.eu", "gmx.fr", "gmx.info", "gmx.net", "gmx.us", "go2.pl",
    "godaddysites.com", "goo.gl", "goo.jp", "googlegroups.com", "googlemail.com",
    "groups.google.com", "guerrillamail.com", "hanafos.com", "hanmail.net", "hatenablog.com",
    "herokuapp.com", "hetnet.nl", "hey.com", "hinet.net", "hispeed.ch", "home.nl", "homestead.com",
    "hot.ee", "hotmail.be", "hotmail.ca", "hotmail.ch", "hotmail.cl", "hotmail.co.in",
    "hotmail.co.jp", "hotmail.co.th", "hotmail.co.uk", "hotmail.com", "hotmail.com.ar",
    "hotmail.com.au", "hotmail.com.br", "hotmail.com.tr", "hotmail.cz", "hotmail.de", "hotmail.dk",
    "hotmail.es", "hotmail.fi", "hotmail.fr", "hotmail.gr", "hotmail.hu", "hotmail.it",
    "hotmail.my", "hotmail.nl", "hotmail.no", "hotmail.se", "hotmail.sg", "hpage.com", "hush.com",
    "hushmail.com", "i.softbank.jp", "i.ua", "iafrica.com", "icloud.com", "icloud.com.cn",
    "ig.com.br", "iinet.net.au", "in.gr", "iname.com", "inbox.com", "inbox.lt", "inbox.lv",
    "inbox.ru", "indamail.hu", "indeed.com", "indiamart.com", "indiatimes.com", "infoseek.jp",
    "inode.at", "instagram.com", "interia.eu", "interia.pl", "internet.ru", "internode.on.net",
    "inwind.it", "iol.it", "iol.pt", "jimdofree.com", "jimdosite.com", "jimdoweb.com", "jubii.dk",
    "juno.com", "kabelmail.de", "kakao.com", "keemail.me", "ko-fi.com", "kolumbus.fi", "korea.com",
    "kpnmail.nl", "kpnplanet.nl", "laposte.net", "legalmail.it", "lenta.ru", "libero.it", "line.me",
    "linkedin.com", "linktr.ee", "list.ru", "live.at", "live.be", "live.ca", "live.cl", "live.cn",
    "live.co.uk", "live.co.za", "live.com", "live.com.ar", "live.com.au", "live.com.mx",
    "live.com.my", "live.com.pe", "live.com.pt", "live.com.sg", "live.de", "live.dk", "live.fi",
    "live.fr", "live.hk", "live.ie", "live.in", "live.it", "live.jp", "live.nl", "live.no",
    "live.ru", "live.se", "livejournal.com", "lnkd.in", "love.com", "luukku.com", "lycos.com",
    "m.me", "mac.com", "made-in-china.com", "magenta.de", "mail.bg", "mail.com", "mail.dk",
    "mail.ee", "mail.pt", "mail.ru", "mail.ua", "mailbox.de", "mailbox.org", "maildrop.cc",
    "mailfence.com", "mailinator.com", "maktoob.com", "maps.google.com", "mastodon.social",
    "mchsi.com", "me.com", "medium.com", "meetup.com", "meta.ua", "mindspring.com", "mintemail.com",
    "moakt.com", "mohmal.com", "movistar.es", "mozmail.com", "msn.com", "mweb.co.za",
    "my.salesforce.com", "mybigcommerce.com", "mynet.com", "myrambler.ru", "myself.com",
    "myshopify.com", "mystrikingly.com", "myyahoo.com", "narod.ru", "nate.com", "naver.com",
    "net.hr", "netcabo.pt", "netcologne.de", "netlify.app", "netlify.com", "netscape.net",
    "netvigator.com", "netvision.net.il", "netzero.com", "netzero.net", "neuf.fr", "ngrok.app",
    "ngrok.io", "nifty.com", "noos.fr", "notion.site", "notion.so", "ntlworld.com",
    "numericable.fr", "o2.co.uk", "o2.pl", "ocn.ne.jp", "ofir.dk", "oi.com.br", "ok.ru", "one.lt",
    "onet.eu", "onet.pl", "online.de", "online.no", "online.ua", "onmicrosoft.com", "ono.com",
    "onrender.com", "onsnet.nl", "op.pl", "optimum.net", "optonline.net", "optusnet.com.au",
    "orange.es", "orange.fr", "orcon.net.nz", "otenet.gr", "outlook.at", "outlook.be", "outlook.cl",
    "outlook.co.id", "outlook.co.il", "outlook.co.th", "outlook.com", "outlook.com.ar",
    "outlook.com.au", "outlook.com.br", "outlook.com.co", "outlook.com.gr", "outlook.com.mx",
    "outlook.com.tr", "outlook.com.vn", "outlook.cz", "outlook.de", "outlook.dk", "outlook.es",
    "outlook.fr", "outlook.hu", "outlook.ie", "outlook.in", "outlook.it", "outlook.jp",
    "outlook.kr", "outlook.my", "outlook.ph", "outlook.pt", "outlook.sa", "outlook.sg",
    "over-blog.com", "ow.ly", "pacbell.net", "page4.com", "pages.dev", "pandora.be", "passport.com",
    "patreon.com", "pchome.com.tw", "pec.it", "pinterest.com", "plala.or.jp", "planet.nl",
    "play.google.com", "plus.com", "plus.google.com", "plusnet.com", "pm.me", "poczta.fm",
    "poczta.onet.pl", "post.com", "post.cz", "post.sk", "post.tele.dk", "poste.it", "posteo.de",
    "posteo.net", "pp.inet.fi", "privaterelay.appleid.com", "prodigy.net", "prodigy.net.mx",
    "proton.me", "protonmail.ch", "protonmail.com", "proximus.be", "q.com", "qq.com", "quicknet.nl",
    "quora.com", "r7.com", "rambler.ru", "readme.io", "readthedocs.io", "reddit.com", "rediff.com",
    "rediffmail.com", "repl.co", "replit.app", "riseup.net", "ro.ru", "roadrunner.com",
    "rocketmail.com", "rr.com", "runbox.com", "sapo.pt", "saunalahti.fi", "sbcglobal.net",
    "scarlet.be", "seed.net.tw", "seznam.cz", "sfr.fr", "sharepoint.com", "sharklasers.com",
    "shaw.ca", "sify.com", "simplelogin.com", "simplelogin.io", "sina.cn", "sina.com",
    "sina.com.cn", "siol.net", "sites.google.com", "sky.com", "skynet.be", "slingshot.co.nz",
    "snapchat.com", "so-net.ne.jp", "softbank.ne.jp", "sohu.com", "soundcloud.com",
    "sourceforge.io", "sourceforge.net", "speedy.com.ar", "spray.se", "start.no", "startmail.com",
    "stofanet.dk", "strikingly.com", "substack.com", "suddenlink.net", "sunrise.ch", "suomi24.fi",
    "super.site", "superig.com.br", "superonline.com", "surge.sh", "surveymonkey.com", "swbell.net",
    "swipnet.se", "sympatico.ca", "t-online.de", "t-online.hu", "t.co", "t.me", "talktalk.net",
    "tdcadsl.dk", "teams.microsoft.com", "techie.com", "tele2.nl", "telefonica.net", "telegram.me",
    "telenet.be", "telfort.nl", "telia.com", "telkomsa.net", "telus.net", "temp-mail.org",
    "tempmail.com", "terra.com.br", "terra.com.mx", "terra.es", "threads.net", "throwawaymail.com",
    "tiktok.com", "tilda.ws", "tim.it", "tin.it", "tinyurl.com", "tiscali.co.uk", "tiscali.it",
    "tistory.com", "tlen.pl", "tom.com", "tpg.com.au", "tradeindia.com", "trashmail.com",
    "tripadvisor.com", "tripod.com", "trycloudflare.com", "ttmail.com", "tumblr.com", "turk.net",
    "tut.by", "tuta.com", "tuta.io", "tutamail.com", "tutanota.com", "tutanota.de", "twitter.com",
    "typeform.com", "typepad.com", "ucoz.ru", "ukr.net", "une.net.co", "unitybox.de", "uol.com.br",
    "upcmail.nl", "usa.com", "usa.net", "vercel.app", "verizon.net", "versanet.de", "videotron.ca",
    "vimeo.com", "vip.163.com", "vip.qq.com", "vip.sina.com", "virgilio.it", "virgin.net",
    "virginmedia.com", "vk.com", "vodafone.de", "vodafonemail.de", "vodamail.co.za", "voila.fr",
    "volny.cz", "vp.pl", "vsnl.com", "vsnl.net", "wa.me", "walla.co.il", "walla.com", "wanadoo.fr",
    "web.app", "web.de", "webflow.io", "webmail.co.za", "webnode.com", "webnode.page", "weebly.com",
    "weibo.com", "weixin.qq.com", "welho.com", "westnet.com.au", "whatsapp.com", "wikidata.org",
    "wikipedia.org", "windowslive.com", "windstream.net", "wixsite.com", "wixstudio.io", "wo.cn",
    "wordpress.com", "workers.dev", "wp.pl", "writeme.com", "x.com", "xing.com", "xs4all.nl",
    "xtra.co.nz", "ya.com", "ya.ru", "yahoo.at", "yahoo.be", "yahoo.ca", "yahoo.ch", "yahoo.cl",
    "yahoo.cn", "yahoo.co.id", "yahoo.co.in", "yahoo.co.jp", "yahoo.co.kr", "yahoo.co.nz",
    "yahoo.co.th", "yahoo.co.uk", "yahoo.co.za", "yahoo.com", "yahoo.com.ar", "yahoo.com.au",
    "yahoo.com.br", "yahoo.com.cn", "yahoo.com.co", "yahoo.com.hk", "yahoo.com.mx", "yahoo.com.my",
    "yahoo.com.pe", "yahoo.com.ph", "yahoo.com.sg", "yahoo.com.tr", "yahoo.com.tw", "yahoo.com.ua",
    "yahoo.com.ve", "yahoo.com.vn", "yahoo.cz", "yahoo.de", "yahoo.dk", "yahoo.es", "yahoo.fi",
    "yahoo.fr", "yahoo.gr", "yahoo.hu", "yahoo.ie", "yahoo.in", "yahoo.it", "yahoo.ne.jp",
    "yahoo.nl", "yahoo.no", "yahoo.pl", "yahoo.pt", "yahoo.ro", "yahoo.se", "yandex.by",
    "yandex.com", "yandex.kz", "yandex.ru", "yandex.ua", "ybb.ne.jp", "yeah.net", "yelp.com",
    "ymail.com", "yolasite.com", "yopmail.com", "youtu.be", "youtube.com", "ziggo.nl",
    "zipmail.com.br", "zoho.com", "zohomail.com", "zohomail.eu", "zohomail.in", "zonnet.nl",
    "zoznam.sk",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sound(table: &[&str]) -> bool {
        table.is_sorted_by(|a, b| a < b)
            && table.iter().all(|it| it.contains('.') && *it == it.to_lowercase())
    }

    #[test]
    fn the_tables_are_sorted_unique_and_in_lower_case() {
        assert!(is_sound(SHARED));
        assert!(is_sound(LANDLORDS));
    }

    #[test]
    fn every_entry_is_found_in_whatever_form_it_is_typed() {
        for entry in SHARED {
            let typed = format!("https://WWW.{}/x", entry.to_uppercase());
            assert!(is_shared(&DomainName::parse(&typed).unwrap()), "{typed}");
        }
    }

    #[test]
    fn companies_next_to_their_shared_hosts_are_not_shared() {
        for typed in
            ["google.com", "mail.google.com", "hubspot.com", "acme.hubspot.com", "acme.slack.com"]
        {
            assert!(!is_shared(&DomainName::parse(typed).unwrap()), "{typed}");
        }
        for typed in [
            "https://sites.google.com/view/acme",
            "https://www.facebook.com/acme",
            "acme.my.salesforce.com",
            "acme.lightning.force.com",
        ] {
            assert!(is_shared(&DomainName::parse(typed).unwrap()), "{typed}");
        }
    }
}
