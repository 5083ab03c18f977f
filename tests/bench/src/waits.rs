//! What a person or a bot waits for on a network with distance, held against the round trips that it needs.
//!
//! Every party is behind TLS, at the end of a [`Way`]. How many round trips to a party stand one after the other in a wait is
//! measured, too: its time is taken once more with that party farther away, and the difference is divided by the distance that
//! was added. What stands beside something longer does not show, as for whoever waits.

use std::{fmt, io::Write as _, path::PathBuf, time::Duration};

use serde::Serialize;
use serde_json::Value;

use crate::{
    Failed,
    distance::Way,
    fakes::Fakes,
    functions::{self, Program, Role, Urls},
    runtime::Function,
    statistics::percentile,
};

/// Starts of each function at each distance.
const ROUNDS: usize = 7;
/// What is added to a party's round-trip time, in milliseconds, to count round trips: AWS is near, and what stands beside a
/// longer way to another party has to stay there.
const ADDED_MS: [f64; 4] = [16.0, 80.0, 80.0, 80.0];
/// The parties, in the order of all figures here.
const PARTIES: [&str; 4] = ["aws", "salesforce", "whatsapp", "bot"];

/// The round-trip time to each party, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Distances([f64; 4]);

/// The longest wait of the way, as it is needed.
#[derive(Clone, Copy)]
struct Needed {
    wait: &'static str,
    /// With each party.
    round_trips: [f64; 4],
    why: &'static str,
}

const fn needed(wait: &'static str, round_trips: [f64; 4], why: &'static str) -> Needed {
    Needed { wait, round_trips, why }
}

/// A new connection takes two round trips, TCP's and TLS 1.3's, before the first request. Nothing is sent to Salesforce,
/// WhatsApp or a bot on a connection of an earlier invocation: it may be dead without a sign, since Lambda has frozen the
/// function meanwhile.
const NEEDED: [Needed; 10] = [
    needed("page, cold", [3.0, 0.0, 0.0, 0.0], "connection to KMS, the key of links"),
    needed("page, warm", [0.0, 0.0, 0.0, 0.0], "the key is in memory"),
    needed("press", [2.0, 0.0, 0.0, 0.0], "counted, then signed beside the verifier"),
    needed("callback, cold", [3.0, 0.0, 0.0, 0.0], "connection to SQS, message"),
    needed("callback, warm", [1.0, 0.0, 0.0, 0.0], "message"),
    needed(
        "callback to connected",
        [2.0, 4.0, 0.0, 0.0],
        "message; connection beside claim and verifier, token, userinfo; transaction",
    ),
    needed("connected to message", [0.0, 0.0, 2.5, 0.0], "connection beside read and mark, message on its way"),
    needed("message to bot", [1.0, 0.0, 0.5, 0.5], "answer, mark, event on its way over a connection opened beside"),
    needed("token, fresh", [1.0, 0.0, 0.0, 0.0], "read"),
    needed(
        "token, refreshing",
        [2.0, 4.0, 0.0, 0.0],
        "read; connection beside claim and keys, refresh; stored; end of the token",
    ),
];

/// One line of the table.
#[derive(Serialize)]
pub(crate) struct Row {
    wait: &'static str,
    needed: [f64; 4],
    made: [f64; 4],
    minimum_ms: f64,
    measured_ms: f64,
    why: &'static str,
}

/// The waits at these distances.
#[derive(Serialize)]
pub(crate) struct Waits {
    distances: Distances,
    rows: Vec<Row>,
}

pub(crate) struct Network<'a> {
    fakes: &'a Fakes,
    work: PathBuf,
    ways: [Way; 4],
}

impl Default for Distances {
    /// A function in a Region of the US and a Salesforce in another one, as an example.
    fn default() -> Self {
        Self([1.0, 40.0, 60.0, 30.0])
    }
}

impl Distances {
    /// Reads `salesforce=40`, in milliseconds, once for each party that is not as far as usual.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, Failed> {
        let mut distances = Self::default();
        for text in texts {
            let (name, ms) = text.split_once('=').ok_or_else(|| format!("{text} is not PARTY=MILLISECONDS"))?;
            let party = PARTIES.iter().position(|party| *party == name);
            let party = party.ok_or_else(|| format!("unknown party {name}; known are {}", PARTIES.join(", ")))?;
            distances.0[party] = ms.parse()?;
        }
        Ok(distances)
    }

    fn with(mut self, party: usize, added_ms: f64) -> Self {
        self.0[party] += added_ms;
        self
    }

    fn of(&self, round_trips: &[f64; 4]) -> f64 {
        self.0.iter().zip(round_trips).map(|(ms, times)| ms * times).sum()
    }
}

impl<'a> Network<'a> {
    pub(crate) async fn new(fakes: &'a Fakes, work: PathBuf) -> Result<Self, Failed> {
        let ways = [fakes.way().await?, fakes.way().await?, fakes.way().await?, fakes.way().await?];
        Ok(Self { fakes, work, ways })
    }

    /// Measures every wait at these distances.
    pub(crate) async fn waits(&self, distances: Distances) -> Result<Waits, Failed> {
        let measured = self.medians(distances).await?;
        let mut farther = Vec::new();
        for (party, added_ms) in ADDED_MS.into_iter().enumerate() {
            farther.push(self.medians(distances.with(party, added_ms)).await?);
        }
        let row = |(place, needed): (usize, &Needed)| Row {
            wait: needed.wait,
            needed: needed.round_trips,
            made: std::array::from_fn(|party| (farther[party][place] - measured[place]) / ADDED_MS[party]),
            minimum_ms: distances.of(&needed.round_trips),
            measured_ms: measured[place],
            why: needed.why,
        };
        Ok(Waits { distances, rows: NEEDED.iter().enumerate().map(row).collect() })
    }

    /// The median of each wait, in milliseconds, in the order of [`NEEDED`].
    async fn medians(&self, distances: Distances) -> Result<[f64; NEEDED.len()], Failed> {
        let [aws, salesforce, whatsapp, bot] = distances.0;
        let _ = writeln!(std::io::stderr(), "  AWS {aws} ms, Salesforce {salesforce}, WhatsApp {whatsapp}, bot {bot}");
        for (way, ms) in self.ways.iter().zip(distances.0) {
            way.set(Duration::from_secs_f64(ms / 1_000.0));
        }
        let mut samples: [Vec<f64>; NEEDED.len()] = Default::default();
        for number in 0..ROUNDS {
            for (sample, ms) in samples.iter_mut().zip(self.round(number).await?) {
                sample.push(ms);
            }
        }
        Ok(samples.map(|sample| percentile(&sample, 0.5)))
    }

    /// Each wait once, in milliseconds.
    async fn round(&self, number: usize) -> Result<[f64; NEEDED.len()], Failed> {
        let [page_cold, page_warm, press] = self.connect_link().await?;
        let [callback_cold, callback_warm] = self.receiver().await?;
        let connected = callback_warm + self.exchanger(number).await?;
        let [message, bot] = self.notifier().await?;
        let [fresh, refreshing] = self.keeper().await?;
        Ok([page_cold, page_warm, press, callback_cold, callback_warm, connected, message, bot, fresh, refreshing])
    }

    async fn connect_link(&self) -> Result<[f64; 3], Failed> {
        let (mut maker, _) = self.start(Role::ConnectLink).await?;
        let made = self.invoke(&mut maker, Role::ConnectLink, &functions::sample("links-post")?).await?.0;
        maker.end().await?;
        let body: Value = serde_json::from_str(made["body"].as_str().ok_or("no link")?)?;
        let link = body["url"].as_str().and_then(|url| url.rsplit('/').next()).ok_or("no link")?;
        let of_link = |name: &str| {
            let mut event = functions::sample(name)?;
            event["pathParameters"]["link"] = link.into();
            Ok::<_, Failed>(event)
        };
        let (page, button) = (of_link("connect-get")?, of_link("connect-post")?);

        let (mut function, started) = self.start(Role::ConnectLink).await?;
        let cold = started + self.invoke(&mut function, Role::ConnectLink, &page).await?.1;
        let warm = self.invoke(&mut function, Role::ConnectLink, &page).await?.1;
        function.invoke(&button).await?;
        let (answer, press) = function.invoke(&button).await?;
        self.fakes.check()?;
        if answer["statusCode"] != 303 {
            return Err(format!("the button answered {answer}").into());
        }
        function.end().await?;
        Ok([cold, warm, press].map(millis))
    }

    async fn receiver(&self) -> Result<[f64; 2], Failed> {
        let (mut function, started) = self.start(Role::Receiver).await?;
        let cold = started + self.process(&mut function, Role::Receiver, 0).await?;
        let warm = self.process(&mut function, Role::Receiver, 1).await?;
        function.end().await?;
        Ok([cold, warm].map(millis))
    }

    async fn exchanger(&self, number: usize) -> Result<f64, Failed> {
        let (mut function, _) = self.start(Role::Exchanger).await?;
        self.process(&mut function, Role::Exchanger, 2 * number).await?;
        let connected = self.process(&mut function, Role::Exchanger, 2 * number + 1).await?;
        function.end().await?;
        Ok(millis(connected))
    }

    async fn notifier(&self) -> Result<[f64; 2], Failed> {
        let (mut function, _) = self.start(Role::Notifier).await?;
        self.process(&mut function, Role::Notifier, 0).await?;
        let began = std::time::Instant::now();
        self.process(&mut function, Role::Notifier, 1).await?;
        let arrived = |operation| self.fakes.arrived_at(operation).ok_or("nothing arrived");
        let (message, bot) = (arrived("message")?, arrived("event")?);
        function.end().await?;
        Ok([message - began, bot - message].map(millis))
    }

    async fn keeper(&self) -> Result<[f64; 2], Failed> {
        let (mut function, _) = self.start(Role::Keeper).await?;
        self.process(&mut function, Role::Keeper, 0).await?;
        let fresh = self.process(&mut function, Role::Keeper, 1).await?;
        let mut times = [fresh, fresh];
        // The first refresh makes the clients that a fresh token does not need.
        for refreshing in [false, true] {
            let event = Role::Keeper.event(self.fakes, &self.urls(), 1, 2)?;
            self.fakes.put_connection(functions::old_connection(&self.urls().salesforce));
            let refreshes = self.fakes.calls("token");
            times[usize::from(refreshing)] = self.invoke(&mut function, Role::Keeper, &event).await?.1;
            if self.fakes.calls("token") != refreshes + 1 {
                return Err("the keeper did not refresh".into());
            }
        }
        function.end().await?;
        Ok([fresh, times[1]].map(millis))
    }

    fn urls(&self) -> Urls {
        let [aws, salesforce, whatsapp, bot] = &self.ways;
        let url = |way: &Way| format!("https://localhost:{}", way.port);
        Urls { aws: url(aws), salesforce: url(salesforce), whatsapp: url(whatsapp), bot: url(bot) }
    }

    async fn start(&self, role: Role) -> Result<(Function, Duration), Failed> {
        Program::shipped(role).ok_or("no such function")?.start(self.fakes, &self.work, &self.urls(), &[]).await
    }

    /// The time for the usual event.
    async fn process(&self, function: &mut Function, role: Role, number: usize) -> Result<Duration, Failed> {
        let event = role.event(self.fakes, &self.urls(), 1, number)?;
        Ok(self.invoke(function, role, &event).await?.1)
    }

    async fn invoke(&self, function: &mut Function, role: Role, event: &Value) -> Result<(Value, Duration), Failed> {
        let (answer, duration) = function.invoke(event).await?;
        self.fakes.check()?;
        if role.is_success(&answer) {
            Ok((answer, duration))
        } else {
            Err(format!("{role:?} answered {answer}").into())
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Distances([aws, salesforce, whatsapp, bot]) = self.distances;
        writeln!(
            f,
            "Round-trip times: AWS {aws} ms, Salesforce {salesforce}, WhatsApp {whatsapp}, bot {bot}; no party takes time of its own."
        )?;
        writeln!(f, "Round trips, needed and made, one after the other:\n")?;
        writeln!(
            f,
            "{:<24}{:>11}{:>12}{:>12}{:>12}{:>11}{:>13}{:>8}  needed for",
            "", "AWS", "Salesforce", "WhatsApp", "bot", "minimum ms", "measured ms", "ratio"
        )?;
        for Row { wait, needed, made, minimum_ms, measured_ms, why } in &self.rows {
            write!(f, "{wait:<24}")?;
            for (party, width) in [11, 12, 12, 12].into_iter().enumerate() {
                let made = (made[party] * 2.0).round() / 2.0 + 0.0;
                let both = if needed[party] == 0.0 && made == 0.0 {
                    "–".to_owned()
                } else {
                    format!("{} {made:>4}", needed[party])
                };
                write!(f, "{both:>width$}")?;
            }
            writeln!(f, "{minimum_ms:>11.0}{measured_ms:>13.1}{:>8}  {why}", ratio(*measured_ms, *minimum_ms))?;
        }
        let of = |wait: &str, figure: fn(&Row) -> f64| {
            self.rows.iter().find(|row| row.wait == wait).map_or(f64::NAN, figure)
        };
        let way = |figure| of("callback to connected", figure) + of("connected to message", figure);
        let (minimum, measured) = (way(|row| row.minimum_ms), way(|row| row.measured_ms));
        writeln!(
            f,
            "\nCallback to message, without the waits of queue and stream: {measured:.0} ms, minimum {minimum:.0} ms, ratio {}",
            ratio(measured, minimum)
        )
    }
}

fn ratio(measured: f64, minimum: f64) -> String {
    if minimum == 0.0 { "–".to_owned() } else { format!("{:.2}", measured / minimum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_given_by_its_party() {
        let given = |text: &str| Distances::parse(&[text.to_owned()]);
        assert_eq!(given("salesforce=80").unwrap(), Distances::default().with(1, 40.0));
        assert!(given("moon=1300").is_err() && given("bot").is_err() && given("bot=far").is_err());
    }
}
