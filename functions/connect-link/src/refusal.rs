//! The ways in which a request can be refused, and what each of them is called, answered and explained.

use serde_json::json;
use shared::{
    Language, LinkId,
    aws::{AwsError, kms::KmsError, links::CallbackUriError, references::NotKept, secrets::SecretsError},
    link::{InvalidLink, Link},
    process::NoRandomness,
    texts::{self, Text},
};

use crate::link_request::InvalidLinkRequest;

/// For `Retry-After`, in seconds.
const RETRY_AFTER: u16 = 3;

/// Why a request is refused. The text is for the caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no such route")]
    UnknownRoute,
    #[error("the request must be signed by an authorized IAM principal")]
    Unauthorised,
    #[error(transparent)]
    LinkRequest(#[from] InvalidLinkRequest),
    #[error("not a connect link, or a damaged one")]
    NotALink,
    #[error("the link has expired")]
    /// Without the link where it is one of an earlier version, which nobody can open any more.
    Expired(Option<OfLink>),
    #[error("the link was opened too often")]
    TooManyPresses(OfLink),
    #[error("no login of this stack, or one of long ago")]
    UnknownLogin,
    #[error("another site sent this request")]
    /// With the link where it can be opened.
    CrossSite(Option<OfLink>),
    #[error("try again in a moment")]
    Unavailable(#[from] Unavailable),
}

/// What is known of a link that is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfLink {
    pub(crate) link_id: LinkId,
    pub(crate) language: Option<Language>,
}

impl From<&Link> for OfLink {
    fn from(link: &Link) -> Self {
        Self { link_id: link.link_id, language: link.language }
    }
}

/// Why a request cannot be served now. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error(transparent)]
    Kms(#[from] KmsError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    CallbackUri(#[from] CallbackUriError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("attempt not read")]
    Progress(#[source] AwsError),
    #[error("reference not kept")]
    Reference(#[from] NotKept),
    #[error("timed out waiting for AWS")]
    Deadline,
}

/// How a refusal is answered.
pub(crate) struct Explanation {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `error` in JSON, `result` in logs and metrics.
    pub(crate) label: &'static str,
    /// The page: heading, paragraph, and where it leads.
    pub(crate) title: &'static Text,
    pub(crate) text: &'static Text,
    pub(crate) way_on: WayOn,
}

/// Where the page of a refusal leads.
#[derive(Clone, Copy)]
pub(crate) enum WayOn {
    /// To WhatsApp, where the bot's number is known.
    Chat,
    /// To this address once more, with this text on the button.
    Reload(&'static Text),
}

impl Refusal {
    pub(crate) const fn explain(&self) -> Explanation {
        match self {
            Self::UnknownRoute => Explanation::useless_link(404, "not_found"),
            Self::Unauthorised => Explanation::useless_link(403, "forbidden"),
            Self::NotALink => Explanation::useless_link(404, "unknown_link"),
            Self::UnknownLogin => Explanation::useless_link(404, "unknown_login"),
            Self::LinkRequest(InvalidLinkRequest::Malformed) => Explanation::useless_link(400, "invalid_request"),
            Self::LinkRequest(InvalidLinkRequest::WaId) => Explanation::useless_link(400, "invalid_wa_id"),
            Self::LinkRequest(InvalidLinkRequest::LoginUrl) => Explanation::useless_link(400, "login_url_not_allowed"),
            Self::LinkRequest(InvalidLinkRequest::Reference(_)) => Explanation::useless_link(400, "invalid_reference"),
            Self::LinkRequest(InvalidLinkRequest::Language(_)) => Explanation::useless_link(400, "invalid_language"),
            Self::LinkRequest(InvalidLinkRequest::TooLong) => Explanation::useless_link(400, "too_long"),
            Self::Expired(_) => Explanation {
                status: 410,
                label: "expired_link",
                title: &texts::LINK_EXPIRED,
                text: &texts::LINK_EXPIRED_TEXT,
                way_on: WayOn::Chat,
            },
            Self::TooManyPresses(_) => Explanation {
                status: 429,
                label: "too_many_presses",
                title: &texts::LINK_WORN_OUT,
                text: &texts::LINK_WORN_OUT_TEXT,
                way_on: WayOn::Chat,
            },
            Self::CrossSite(_) => Explanation {
                status: 403,
                label: "cross_site",
                title: &texts::LINK_CROSS_SITE,
                text: &texts::LINK_CROSS_SITE_TEXT,
                way_on: WayOn::Reload(&texts::LINK_CROSS_SITE_BUTTON),
            },
            Self::Unavailable(_) => Explanation {
                status: 503,
                label: "temporarily_unavailable",
                title: &texts::LINK_UNAVAILABLE,
                text: &texts::LINK_UNAVAILABLE_TEXT,
                way_on: WayOn::Reload(&texts::LINK_UNAVAILABLE_BUTTON),
            },
        }
    }

    /// For a program.
    pub(crate) fn json(&self) -> String {
        json!({ "error": self.explain().label, "error_description": self.to_string() }).to_string()
    }

    /// For `Retry-After`, in seconds.
    pub(crate) fn retry_after(&self) -> Option<u16> {
        self.fault().map(|_| RETRY_AFTER)
    }

    pub(crate) fn link_id(&self) -> Option<LinkId> {
        self.of_link().map(|of_link| of_link.link_id)
    }

    /// That of the link, where it is known.
    pub(crate) fn language(&self) -> Option<Language> {
        self.of_link()?.language
    }

    const fn of_link(&self) -> Option<OfLink> {
        match self {
            Self::Expired(of_link) | Self::CrossSite(of_link) => *of_link,
            Self::TooManyPresses(of_link) => Some(*of_link),
            _ => None,
        }
    }

    /// The cause that an operator has to know, where the fault is not the caller's.
    pub(crate) const fn fault(&self) -> Option<&Unavailable> {
        match self {
            Self::Unavailable(fault) => Some(fault),
            _ => None,
        }
    }
}

impl Explanation {
    const fn useless_link(status: u16, label: &'static str) -> Self {
        Self { status, label, title: &texts::LINK_USELESS, text: &texts::LINK_USELESS_TEXT, way_on: WayOn::Chat }
    }
}

impl From<InvalidLink> for Refusal {
    fn from(error: InvalidLink) -> Self {
        match error {
            InvalidLink::NotALink => Self::NotALink,
            InvalidLink::OlderVersion => Self::Expired(None),
        }
    }
}
