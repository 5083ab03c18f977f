//! Salesforce's own hosts. Pure.

/// The domains under which Salesforce serves orgs. The token endpoint's signature does not cover `instance_url`, and the
/// access token goes there.
///
/// Sources: Salesforce Help "Allow the Required Domains" and "My Domain URL Formats" (`salesforce.com`, `force.com`,
/// `my.site.com`, `salesforce.mil`, `crmforce.mil`), "Salesforce on Alibaba Cloud" (`sfcrmproducts.cn`), "Partitioned and
/// Legacy Domains" (`cloudforce.com`).
const DOMAINS: [&str; 7] = [
    "salesforce.com",
    "force.com",
    "my.site.com",
    "cloudforce.com",
    "sfcrmproducts.cn",
    "salesforce.mil",
    "crmforce.mil",
];

/// Whether a host is under one of Salesforce's domains.
pub(super) fn is_salesforce(host: &str) -> bool {
    DOMAINS.iter().any(|domain| host.strip_suffix(domain).is_some_and(|subdomain| subdomain.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_hosts_of_salesforce() {
        for host in [
            "login.salesforce.com",
            "test.salesforce.com",
            "na1.salesforce.com",
            "acme.my.salesforce.com",
            "acme--uat.sandbox.my.salesforce.com",
            "acme.develop.my.salesforce.com",
            "acme.lightning.force.com",
            "acme.my.site.com",
            "acme--uat.sandbox.my.site.com",
            "acme.cloudforce.com",
            "acme.my.sfcrmproducts.cn",
            "acme.my.salesforce.mil",
            "acme.my.crmforce.mil",
        ] {
            assert!(is_salesforce(host), "{host}");
        }
    }

    #[test]
    fn another_host_is_not_salesforces() {
        for host in ["evil.example", "evilsalesforce.com", "acme.salesforce.com.evil.example", "acme.site.com", "cn"] {
            assert!(!is_salesforce(host), "{host}");
        }
    }
}
