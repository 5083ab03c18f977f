# Every text that people read, in the syntax of Fluent (https://projectfluent.org).
#
# This file is the one that the others are held against: the build fails where one of them lacks a text, has one more, or
# has other variables. `*…*` is bold, in the chat and on a page. A line break in a text is a line break for its reader.
# "Salesforce", "WhatsApp", and what bots understand (*disconnect*, "Confirmation code") are the same in every language.

### The message in the chat

## A connection

# The first sentence, which bots and people know from the older system.
connected = ✅ Your Salesforce account is now connected!
connected-as = Connected as { $username }.
# As "Connected as ada@example.com (acme, sandbox uat)."
connected-as-in = Connected as { $username } ({ $org }).
connected-to = Connected to the org { $org }.
# Where the bot passes messages on. It understands the English word alone.
connected-undo = Not you? Reply *disconnect*.
org-sandbox-named = { $org }, sandbox { $sandbox }
org-sandbox = { $org }, sandbox
org-developer = { $org }, developer org
org-scratch = { $org }, scratch org
org-trailhead = { $org }, Trailhead playground
org-demo = { $org }, demo org
org-free = { $org }, free org
org-patch = { $org }, patch org

## A delay, or a failure. Where a link helps it follows `.with-link`, on a line of its own

delayed = Connecting your Salesforce account takes longer than usual. We are looking into it.
    .with-link = You can also try again with this link:
    .without-link = You can also ask here for a new link.
failed-superseded = You have logged in again since, and the later login is the one that counts.
failed-wrong-browser = Nothing was connected: the login came back in another browser than the one that opened the link.
    .with-link = Please open this link and log in within the same browser:
    .without-link = Please ask here for a new link, and log in within the browser that opens it.
# To whoever passed their link on, to whose link was taken, and to who has two numbers.
failed-wrong-chat = No Salesforce account was connected: somebody logged in with this chat's link, and sent the code from another chat. A link is only for the chat that asked for it. If you want to connect your account, ask here for a new link, and send the code from this chat.
failed-unconfirmed = Nothing was connected: the code that is shown after the login was not sent from this chat in time.
    .with-link = Please log in again with this link, and then send the code here:
    .without-link = Please ask here for a new link, log in again, and then send the code here.
failed-invalid-callback = Nothing was connected: Salesforce sent you back without what we need.
    .with-link = Please log in again with this link:
    .without-link = Please ask here for a new link, and log in again.
# "Allow" is the button on Salesforce's page.
failed-denied = Your Salesforce account was not connected, because access was not allowed.
    .with-link = If you want to connect it, open this link and choose Allow:
    .without-link = If you want to connect it, ask here for a new link, and then choose Allow.
failed-expired = Nothing was connected: the login took too long.
    .with-link = Please log in again with this link:
    .without-link = Please ask here for a new link, and log in again.
failed-wrong-login-host = Nothing was connected: the login was at another Salesforce address than the link's.
    .with-link = Please open this link, and choose the address where you log in:
    .without-link = Please ask here for a new link, and log in at the address that it names.
failed-outdated-link = That link is from before your Salesforce account was disconnected, so it connects nothing any more.
    .with-link = To connect an account, please open this link:
    .without-link = To connect an account, please ask here for a new link.
failed-used-login = You allowed access more than once with one login, and a login connects one account.
    .with-link = If this chat says that you are connected, and you meant the same account each time, there is nothing to do. Otherwise please open this link:
    .without-link = If this chat says that you are connected, and you meant the same account each time, there is nothing to do. Otherwise please ask here for a new link.
failed-unknown = We could not find out whether your login worked.
    .with-link = To be sure, please log in again with this link:
    .without-link = To be sure, please ask here for a new link, and log in again.
failed-app-blocked = Your company's Salesforce does not allow this app yet. Please ask your Salesforce administrator to allow it, and then ask here for a new link.
failed-user-inactive = Your Salesforce user is not active. Please ask your Salesforce administrator to activate it, and then ask here for a new link.
failed-org-inactive = Your company's Salesforce is locked or closed. Please ask your Salesforce administrator about it, and then ask here for a new link.
failed-login-rate = Salesforce has had too many logins of yours for now.
    .with-link = Please wait an hour, and then try again with this link:
    .without-link = Please wait an hour, and then ask here for a new link.
failed-misconfigured = Your Salesforce account could not be connected, because something on our side is not set up right. You did nothing wrong.
    .with-link = Please try again later with this link:
    .without-link = Please try again later: ask here for a new link.
failed-salesforce-unavailable = Salesforce does not answer at the moment.
    .with-link = Please try again later with this link:
    .without-link = Please try again later: ask here for a new link.

## The end of a connection

ended-replaced = An earlier connection to Salesforce has ended. The one that you have made since is not concerned.
ended = Your Salesforce account is no longer connected.
    .with-link = If you want to connect it again, open this link:
    .without-link = If you want to connect it again, ask here for a new link.
ended-expired = Your Salesforce account is no longer connected: Salesforce has ended the connection.
    .with-link = To connect it again, please log in with this link:
    .without-link = To connect it again, please ask here for a new link.
ended-user-inactive = Your Salesforce account is no longer connected, because your Salesforce user is not active. Please ask your Salesforce administrator to activate it, and then ask here for a new link.
ended-org-inactive = Your Salesforce account is no longer connected, because your company's Salesforce is locked or closed. Please ask your Salesforce administrator about it, and then ask here for a new link.
ended-app-blocked = Your Salesforce account is no longer connected, because your company's Salesforce does not allow this app any more. Please ask your Salesforce administrator about it, and then ask here for a new link.

## What the chat is answered that has sent a code

# It is the code of this chat's login. Also the answer to a repetition, whatever has become of the login since.
code-confirmed = Thank you, that is the right code. You get a message here when your Salesforce account is connected.
# No login waits for it.
code-unknown = We do not know that code. Please compare it with the one on the page that you saw after the login, and send it again. If the page is gone, or if somebody else gave you the link, ask here for a new link, and log in again.
# It is the code of this chat's login, which is over.
code-too-late = That code is no longer valid, and nothing was connected with it. To connect your Salesforce account, please ask here for a new link, log in again, and send the new code within the time that the page says.
# It is the code of a login with another chat's link, and that chat has not sent it.
code-wrong-chat = Nothing was connected: that code belongs to a login with another chat's link. The access to Salesforce that was allowed with it has been taken back. If somebody gave you that link: please do not use links that others have asked for. To connect this chat, ask here for a link of your own.
# It is the code of a login with another chat's link, and that chat has sent it first.
code-confirmed-elsewhere = Be careful: that code belongs to a login with another chat's link, and that chat has sent the code before you. The Salesforce account is connected there, and not here. If the account is yours and the other chat is not, please ask your Salesforce administrator at once to revoke this app's access. Do not use links that others have asked for, and give a code to nobody.
# The chat has sent too many codes that no login of its own waits for.
code-too-many-guesses = Too many wrong codes. Please wait ten minutes, then ask here for a new link, log in again, and send the code that the page shows.

### The pages

## On every page

page-back = Back to WhatsApp
page-privacy = Privacy policy
# What a screen reader says of a number of which only the last digits are shown.
page-number = number ending in { $digits }

## The page of a link

link-title = Connect Salesforce
# What a chat shows of a link, whoever it is sent to.
link-preview = Connect your Salesforce account to your WhatsApp chat. The link is for the chat that asked for it.
# The name and the number of the chat follow, or one of them.
link-chat = Your Salesforce will be connected to this WhatsApp chat:
link-unnamed-chat = Your Salesforce will be connected to *the WhatsApp chat that asked for this link*.
link-host = You’ll log in at { $host }.
link-own-chat = *Only go on if this is your own chat and you asked for this link there.*
link-continue = Continue to Salesforce
link-choose-host = Choose the address where you log in to Salesforce, and log in there:
link-foreign = Not your chat, or did someone else send you this link? Close this page: nothing is connected yet.

## Why a link does not open, or its button does not work

link-expired = This link has expired
    .text = Links work only for a short while, to keep your Salesforce safe. Go back to the chat and ask the bot for a new one.
link-worn-out = This link was opened too often
    .text = To keep your Salesforce safe, a link starts only so many logins. Go back to the chat and ask the bot for a new one.
link-cross-site = Please confirm once more
    .text = Another website tried to go on in your place. Nothing was connected. Check first which chat it is:
    .button = Show me the chat
link-unavailable = That did not work just now
    .text = Nothing is lost: your link still works. Try again in a moment.
    .button = Try again
link-useless = This link does not work
    .text = It may have been cut off on its way. Go back to the chat and open it from there, or ask the bot for a new one.

## The page after the login

callback-wait = Almost done: go back to WhatsApp
    .text = Salesforce said yes. The chat tells you as soon as you are connected, mostly within seconds.
    .text-named = Salesforce said yes. The chat { $number } tells you as soon as you are connected, mostly within seconds.
callback-used = This login was used already
    .text = A login connects one account, and what you decided first counts. The chat tells you how it went, and has a new link for you where you need one.
callback-ended = Not connected
    .text = Salesforce ended this login without sharing your account. The chat tells you how it stands, and has a fresh link for you where you need one.
callback-unavailable = One more try, please
    .text = We could not take your login just now. Nothing is lost: reload this page in a few seconds.
callback-expired = This login took too long
    .text = For your safety a link works for a short while only. Ask the bot for a new one and log in again.
callback-wrong-browser = Please finish where you began
    .text = This login was begun in another browser. Open the link from your own chat and press the button there. If somebody sent you this link, close the page: it would connect your Salesforce to their chat.
callback-nothing-to-do = Nothing to do here
    .text = If you have just logged in at Salesforce, go back to WhatsApp: if you were shown a code, send it there, and the chat tells you how it went. Otherwise ask the bot for a link.
callback-unusable = This login cannot be used
    .text = We do not know which login it is the answer to. Go back to WhatsApp: if the chat says nothing, ask the bot for a new link and log in again.

## The page after the login, where the chat has to send its code

confirm-title = One more step: send this code in WhatsApp
confirm-allowed = You have allowed access at Salesforce.
confirm-used = This login was used already, and what you decided first counts.
confirm-send = You are connected as soon as you send this code from *the chat that asked for the link*.
confirm-send-named = You are connected as soon as you send this code from the chat { $number }.
confirm-open = Open WhatsApp with the code
# The message that is typed in for the person. Bots know how it begins: it is the same in every language.
confirm-message = Confirmation code: { $code }
confirm-qr = QR code that opens WhatsApp with the code
confirm-scan = WhatsApp is on your phone? Scan this with its camera.
# A number of minutes, from 2 to 15.
confirm-minutes = The code works for { $minutes } minutes after your login.
confirm-one-minute = The code works for 1 minute after your login.
confirm-secret = *Give it to nobody else, whoever asks.*
confirm-close = Did somebody else send you the link? Close this page, and nothing is connected. Has the chat answered already? Then you can close it, too.

## What the page after the login says by itself once it is known how it went

# True of the login whatever has become of the connection since.
result-connected = Connected
    .text = This login has connected your Salesforce to your chat. You can close this page.
    .text-named = This login has connected your Salesforce to the chat { $number }. You can close this page.
result-delayed = It takes longer than usual. You need not wait here: the chat tells you how it went.
result-relink = Not connected
    .text = This login connected nothing. The chat tells you why, and has a fresh link for you.
result-contact-admin = Not connected
    .text = Salesforce does not let your account in here. Your Salesforce administrator can change that; the chat tells you more.
result-wait = Not connected yet
    .text = It does not work just now. The chat tells you when to try again, with a link for that.
result-failed = Not connected
    .text = This login connected nothing. If it was yours, the chat tells you how it stands.
