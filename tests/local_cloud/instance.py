"""One instance of the local cloud: an emulator, a sandbox, the deployed stacks, and the file that describes them.

It owns a directory with the state file and the logs, and every process that it started.
"""

import base64
import json
import secrets
import shutil
import subprocess
import urllib.request

import build
import emulator
import processes
import tools
from tools import HERE, Failed, step

SENDER = "+14155238886"
# The stacks: the parameters that differ from the template's defaults, and the host names of the API. The first one is for
# browsers, where each stack has cookies of its own; programs do not all know names under `.localhost`.
META = {"WhatsAppProvider": "Meta", "WhatsAppSecretName": "whatsapp_meta", "WhatsAppTemplate": "account_news:en"}
PROOF = {"ChatProof": "Required", "ProofMinutes": "1"}
STACKS = {
    "main": {
        "domains": ["connect.localhost", "localhost"],
        "parameters": {"TokenTableName": "salesforce_tokens", "AttemptTableName": "connection_attempts"},
    },
    "plain": {
        "domains": ["plain.localhost"],
        "parameters": {
            "StatePolicy": "AcceptPlain",
            # The first step of an upgrade: bots of the older system go on refreshing.
            "TokenCustody": "Bot",
            # No process listens at the last one: a Salesforce that cannot be reached.
            "LoginUrls": "{login_urls},http://localhost:9",
            "TokenTableName": "salesforce_tokens_plain",
            "AttemptTableName": "connection_attempts_plain",
            # The other provider, and the bot by its queue alone, as bots of the older system.
            **META,
            "BotWebhookUrl": "",
        },
    },
    "proof": {"domains": ["proof.localhost"], "parameters": PROOF},
    "proof-meta": {"domains": ["proof-meta.localhost"], "parameters": {**PROOF, **META}},
}


class Instance:
    """An instance by its directory; what it knows survives this process in `state.json`."""

    def __init__(self, directory, account_concurrency=None):
        self.directory = directory
        self.account_concurrency = account_concurrency
        self.file = directory / "state.json"
        self.state = json.loads(self.file.read_text()) if self.file.exists() else {}

    def _save(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        unfinished = self.file.with_suffix(".new")
        unfinished.write_text(json.dumps(self.state, indent=2) + "\n")
        unfinished.replace(self.file)

    # Processes

    def lives(self, name):
        """Whether the process that we started under this name still runs."""
        process = self.state.get("processes", {}).get(name)
        return bool(process) and processes.started_at(process["pid"]) == process["started"]

    def adopt(self, name, process):
        """Makes a process that leads a session one of this instance's: it ends with it."""
        started = processes.started_at(process.pid)
        self.state.setdefault("processes", {})[name] = {"pid": process.pid, "started": started}
        self._save()

    def _start(self, name, process, ready_url, log):
        self.state.setdefault("logs", {})[name] = str(log)
        self.adopt(name, process)
        try:
            processes.wait_until_ready(process, ready_url)
        except processes.DidNotStart as reason:
            raise Failed(f"the {name} did not start: {reason}", log=log) from None

    def end(self):
        """Ends every process that this instance started, and forgets it."""
        for name in ("command", "sandbox", "emulator"):
            if self.lives(name):
                with step(f"End the {name}"):
                    processes.end_group(self.state["processes"][name]["pid"])
        self.file.unlink(missing_ok=True)
        self.state = {}

    # The way up

    def up(self, ports, built, stacks=("main",), bot_webhook_url=None, chat_proof="Off"):
        """Starts what does not run, deploys what has changed; without stacks, what surrounds them is left out too.

        The main stack's events go to `bot_webhook_url`, or else to the sandbox's bot, and `chat_proof` is its ChatProof.
        """
        if not self.lives("emulator"):
            self.end()
            shutil.rmtree(self.directory, ignore_errors=True)
            self.state = _new_state(*ports)
            self._start_emulator()
            if stacks:
                with step("Secrets, the bot's user, queue and event bus"):
                    bot = {"queue": "bot-events", "bus": "bot-bus"}
                    self.state.update(self._provision("prepare", secrets=_secrets(self.state), **bot))
                    self._save()
        self.state["api_url"] = self._api("main")
        self.state["bot_api_url"] = f"http://localhost:{self.state['ports']['emulator']}"
        self._start_sandbox()
        of_main = {"ChatProof": chat_proof, **({"BotWebhookUrl": bot_webhook_url} if bot_webhook_url else {})}
        for name in stacks:
            self._deploy(name, built, of_main if name == "main" else {})
        if stacks:
            self._introduce_bot()
        return self.state

    def _start_emulator(self):
        with step("Start AWS (MiniStack)"):
            port = self.state["ports"]["emulator"]
            proxy = emulator.endpoint(self.state["ports"]["aws_proxy"])
            limits = {"account_concurrency": self.account_concurrency}
            process = emulator.start(tools.python("ministack"), port, self.directory, functions_endpoint=proxy, **limits)
            self._start("emulator", process, emulator.ready_url(port), emulator.log(self.directory))

    def _start_sandbox(self):
        """Starts the sandbox, again if it was built anew."""
        binary = build.sandbox()
        built = f"{binary.stat().st_mtime_ns}"
        if self.lives("sandbox") and self.state["sandbox"]["built"] == built:
            return
        with step("Start Salesforce, WhatsApp and the bot (sandbox)"):
            if self.lives("sandbox"):
                processes.end_group(self.state["processes"]["sandbox"]["pid"])
            sandbox = self.state["sandbox"]
            environment = {
                "SANDBOX_PORT": str(self.state["ports"]["sandbox"]),
                "SANDBOX_AWS_PORT": str(self.state["ports"]["aws_proxy"]),
                "SANDBOX_AWS_UPSTREAM": self.state["endpoint"],
                "SANDBOX_CLIENT_ID": self.state["client_id"],
                "SANDBOX_CLIENT_SECRET": sandbox["client_secret"],
                "SANDBOX_TWILIO_ACCOUNT_SID": sandbox["twilio_account_sid"],
                "SANDBOX_TWILIO_AUTH_TOKEN": sandbox["twilio_auth_token"],
                "SANDBOX_META_TOKEN": sandbox["meta_token"],
                "SANDBOX_META_PHONE_NUMBER_ID": sandbox["meta_phone_number_id"],
                "SANDBOX_WEBHOOK_SECRET": sandbox["webhook_secret"],
            }
            log = self.directory / "sandbox.log"
            process = processes.start([binary], log, environment)
            self._start("sandbox", process, f"{self.state['sandbox_url']}/control/health", log)
            sandbox["built"] = built
            self._save()

    def _deploy(self, name, built, changes):
        """Deploys a stack unless just this is deployed already, and maps its host name."""
        parameters = {**self._parameters(name), **changes}
        deployed = {"fingerprint": built.fingerprint, "parameters": parameters}
        if self.state["stacks"].get(name, {}).get("deployed") == deployed:
            return
        with step(f"Deploy the template ({name})"):
            self._provision(
                "deploy", stack=name, template=str(build.TEMPLATE), bootstrap=built.bootstrap, parameters=parameters
            )
            outputs = self._provision("describe", stack=name, domains=STACKS[name]["domains"])
        self.state["stacks"][name] = {"name": name, "outputs": outputs, "deployed": deployed}
        self._save()

    def _parameters(self, name):
        sandbox, here = self.state["sandbox_url"], self.state["ports"]["sandbox"]
        architecture, _ = tools.host()
        login_urls = f"http://localhost:{here},http://127.0.0.1:{here}"
        parameters = {
            "Architecture": architecture,
            "BotPhoneNumber": SENDER,
            "BotQueueArn": self.state["bot_queue_arn"],
            "BotQueueUrl": self.state["bot_queue_url"],
            "BotWebhookSecretName": "bot_webhook",
            "BotWebhookUrl": f"{sandbox}/bot/events",
            "CallbackUri": f"{self._api(name)}/callback",
            "EventBusName": self.state["event_bus_name"],
            "LoginUrls": f"{login_urls},http://localhost:{here}/portal",
            "WhatsAppApiUrl": sandbox,
            "WhatsAppProvider": "Twilio",
            "WhatsAppSecretName": "whatsapp",
            "WhatsAppSender": f"whatsapp:{SENDER}",
            **{key: value.format(login_urls=login_urls) for key, value in STACKS[name]["parameters"].items()},
        }
        # The command line takes no empty value; every parameter that may be empty is so by default.
        return {key: value for key, value in parameters.items() if value}

    def _api(self, name):
        return f"http://{STACKS[name]['domains'][0]}:{self.state['ports']['emulator']}"

    def _introduce_bot(self):
        """Tells the sandbox's bot where `POST /links` is, and with which credentials to call it."""
        links_api = {
            "links_url": f"{self._api('main')}/links",
            "region": self.state["region"],
            "resolve": {STACKS["main"]["domains"][0]: f"127.0.0.1:{self.state['ports']['emulator']}"},
            **self.state["bot_credentials"],
        }
        request = urllib.request.Request(
            f"{self.state['sandbox_url']}/control/bot",
            data=json.dumps(links_api).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    # AWS

    def _aws_environment(self):
        return tools.clean_environment(
            AWS_ACCESS_KEY_ID=emulator.ACCESS_KEY_ID,
            AWS_DEFAULT_REGION=emulator.REGION,
            AWS_ENDPOINT_URL=self.state["endpoint"],
            AWS_REGION=emulator.REGION,
            AWS_SECRET_ACCESS_KEY=emulator.SECRET_ACCESS_KEY,
        )

    def _where_to_look(self):
        return f"AWS's own log: {self.state['logs']['emulator']}"

    def _provision(self, what, **arguments):
        found = subprocess.run(
            [str(tools.python("ministack")), str(HERE / "provision.py")],
            env=self._aws_environment(),
            input=json.dumps({"do": what, "with": arguments}),
            capture_output=True,
            text=True,
        )
        if found.returncode:
            log = self.directory / "provision.log"
            log.write_text(found.stderr)
            raise Failed(f"could not {what} the stack or what surrounds it", self._where_to_look(), log)
        return json.loads(found.stdout)


def _new_state(emulator_port, sandbox_port):
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    return {
        "endpoint": emulator.endpoint(emulator_port),
        "region": emulator.REGION,
        "credentials": {
            "access_key_id": emulator.ACCESS_KEY_ID,
            "secret_access_key": emulator.SECRET_ACCESS_KEY,
        },
        "ports": {"emulator": emulator_port, "sandbox": sandbox_port, "aws_proxy": processes.free_port()},
        "client_id": f"3MVG9.{secrets.token_urlsafe(60)}",
        "sandbox_url": sandbox_url,
        "chat_url": f"http://localhost:{sandbox_port}/",
        "sandbox": {
            "client_secret": secrets.token_hex(32).upper(),
            "twilio_account_sid": f"AC{secrets.token_hex(16)}",
            "twilio_auth_token": secrets.token_hex(16),
            "meta_token": f"EAA{secrets.token_hex(60)}",
            "meta_phone_number_id": f"1{secrets.randbelow(10**14):014}",
            "webhook_secret": f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}",
        },
        "stacks": {},
    }


def _secrets(state):
    """What stands in Secrets Manager, by name."""
    sandbox = state["sandbox"]
    twilio = {"account_sid": sandbox["twilio_account_sid"], "auth_token": sandbox["twilio_auth_token"]}
    meta = {"access_token": sandbox["meta_token"], "phone_number_id": sandbox["meta_phone_number_id"]}
    return {
        "sf_client_id": state["client_id"],
        "sf_client_secret": sandbox["client_secret"],
        "whatsapp": json.dumps(twilio),
        "whatsapp_meta": json.dumps(meta),
        "bot_webhook": sandbox["webhook_secret"],
    }
