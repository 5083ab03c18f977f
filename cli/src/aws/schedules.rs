//! `EventBridge` Scheduler: one schedule.
//!
//! <https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html>

use aws_types::SdkConfig;
use serde_json::Value;
use shared::timestamp::Clock;

use super::signed::{Answer, Signed, base_url};
use crate::error::Error;

const ACTION: &str = "read the schedule";

/// A schedule of the default group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// `ENABLED` or `DISABLED`.
    pub(crate) state: String,
    /// Where its message goes.
    pub(crate) target_arn: String,
    /// The message.
    pub(crate) input: String,
}

/// The schedule of this name; `None` where there is none.
pub(crate) async fn schedule(aws: &SdkConfig, name: &str, clock: Clock) -> Result<Option<Schedule>, Error> {
    let request = Signed {
        action: ACTION,
        url: &format!("{}/schedules/{name}", base_url(aws, "Scheduler", "scheduler")),
        service: "scheduler",
        content_type: "application/json",
        target: None,
        body: String::new(),
    };
    let Answer { status, body, foreign, .. } = request.get(aws, clock()).await?;
    if let Some(why) = foreign {
        return Err(Error::of_code(ACTION, "GetSchedule", &why));
    }
    match status.as_u16() {
        404 => return Ok(None),
        200 => {}
        status => return Err(Error::failed(ACTION, format!("GetSchedule answered {status}"))),
    }
    let read: Value = serde_json::from_slice(&body).map_err(|_| Error::failed(ACTION, "the response is unreadable"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Some(Schedule {
        state: text(&read["State"]),
        target_arn: text(&read["Target"]["Arn"]),
        input: text(&read["Target"]["Input"]),
    }))
}

#[cfg(test)]
mod tests {
    use fakes::{Answer as Fake, Server};
    use serde_json::json;
    use shared::Timestamp;

    use super::*;
    use crate::aws::tests::config_of;

    const NOW: Clock = || Timestamp::from_millis(1_790_000_000_000);
    const PATH: &str = "/schedules/sweep";

    async fn read(answer: Fake) -> (Server, Result<Option<Schedule>, Error>) {
        let server = Server::start().await;
        server.on(PATH, move |_| answer.clone());
        let aws = config_of(&server).await;
        let found = schedule(&aws, "sweep", NOW).await;
        (server, found)
    }

    #[tokio::test]
    async fn a_schedule_is_read_by_its_name() {
        let answer = json!({"State": "ENABLED", "Target": {"Arn": "arn:queue", "Input": "{}"}, "Name": "sweep"});
        let (server, found) = read(answer.into()).await;
        let expected =
            Schedule { state: "ENABLED".to_owned(), target_arn: "arn:queue".to_owned(), input: "{}".to_owned() };
        assert_eq!(found.unwrap(), Some(expected));
        let request = server.only_request(PATH);
        assert!(request.header("authorization").contains("/us-east-1/scheduler/aws4_request"));
    }

    #[tokio::test]
    async fn a_schedule_that_is_gone_is_none_and_a_refusal_is_an_error() {
        let (_server, found) = read(refused(404, r#"{"Message": "no schedule"}"#)).await;
        assert_eq!(found.unwrap(), None);
        let (_server, found) = read(refused(403, r#"{"Message": "arn:aws:iam::1:user/ada"}"#)).await;
        assert_eq!(found.unwrap_err().to_string(), "cannot read the schedule: GetSchedule answered 403");
    }

    #[tokio::test]
    async fn a_404_of_somebody_elses_does_not_say_that_there_is_no_schedule() {
        let (_server, found) = read(Fake::new(404, "<html>")).await;
        let said = found.unwrap_err().to_string();
        assert!(said.contains("GetSchedule failed: not AWS's answer: status 404 with a page; "), "{said}");
    }

    fn refused(status: u16, body: &str) -> Fake {
        Fake::Response { status, header: Some(("x-amzn-errortype", "Refused")), body: body.to_owned() }
    }
}
