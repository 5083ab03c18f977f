# Every text that people read, in the syntax of Fluent (https://projectfluent.org).
#
# This file is the one that the others are held against: the build fails where one of them lacks a text, has one more, or
# has other variables. `*…*` is bold, in the chat and on a page. A line break in a text is a line break for its reader.
# "Salesforce", "WhatsApp" and the word *disconnect*, which bots understand, are the same in every language.

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
failed-wrong-browser = Your Salesforce account is not connected yet: the login came back in another browser than the one that opened the link.
    .with-link = Please open this link and log in within the same browser:
    .without-link = Please ask here for a new link, and log in within the browser that opens it.
# To whoever passed their link on, to whose link was taken, and to who has two numbers.
failed-wrong-chat = No Salesforce account was connected: somebody logged in with this chat's link, and sent the code from another chat. A link is only for the chat that asked for it. If you want to connect your account, ask here for a new link, and send the code from this chat.
failed-unconfirmed = Your Salesforce account is not connected yet: the code that is shown after the login was not sent from this chat in time.
    .with-link = Please log in again with this link, and then send the code here:
    .without-link = Please ask here for a new link, log in again, and then send the code here.
failed-invalid-callback = Your Salesforce account is not connected yet: Salesforce sent you back without what we need.
    .with-link = Please log in again with this link:
    .without-link = Please ask here for a new link, and log in again.
# "Allow" is the button on Salesforce's page.
failed-denied = Your Salesforce account was not connected, because access was not allowed.
    .with-link = If you want to connect it, open this link and choose Allow:
    .without-link = If you want to connect it, ask here for a new link, and then choose Allow.
failed-expired = Your Salesforce account is not connected yet: the login took too long.
    .with-link = Please log in again with this link:
    .without-link = Please ask here for a new link, and log in again.
failed-wrong-login-host = Your Salesforce account is not connected yet: the login was at another Salesforce address than the link's.
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
code-unknown = We do not know that code. Please compare it with the one on the page that you saw after the login, and send it again. If the page is gone, ask here for a new link, and log in again.
# It is the code of this chat's login, which is over.
code-too-late = That code is no longer valid, and nothing was connected with it. To connect your Salesforce account, please ask here for a new link, log in again, and send the new code within the time that the page says.
# It is the code of a login with another chat's link, and that chat has not sent it.
code-wrong-chat = Nothing was connected: that code belongs to a login with another chat's link. The access to Salesforce that was allowed with it has been taken back. If somebody gave you that link: please do not use links that others have asked for. To connect this chat, ask here for a link of your own.
# It is the code of a login with another chat's link, and that chat has sent it first.
code-confirmed-elsewhere = Be careful: that code belongs to a login with another chat's link, and that chat has sent the code before you. The Salesforce account is connected there, and not here. If the account is yours and the other chat is not, please ask your Salesforce administrator at once to revoke this app's access. Do not use links that others have asked for, and give a code to nobody.
# The chat has sent too many codes that no login of its own waits for.
code-too-many-guesses = Too many wrong codes. Please wait ten minutes, then ask here for a new link, log in again, and send the code that the page shows.
