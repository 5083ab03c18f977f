# Deutsch. Anrede: Sie. Anmelden: bei Salesforce. Verbinden: das Konto mit dem Chat.

### Die Nachricht im Chat

## Eine Verbindung

connected = ✅ Ihr Salesforce-Konto ist jetzt verbunden!
connected-as = Verbunden als { $username }.
connected-as-in = Verbunden als { $username } ({ $org }).
connected-to = Verbunden mit der Organisation { $org }.
connected-undo = Das sind nicht Sie? Antworten Sie *disconnect*.
org-sandbox-named = { $org }, Sandbox { $sandbox }
org-sandbox = { $org }, Sandbox
org-developer = { $org }, Entwicklerorganisation
org-scratch = { $org }, Scratch-Organisation
org-trailhead = { $org }, Trailhead Playground
org-demo = { $org }, Demo-Organisation
org-free = { $org }, kostenlose Organisation
org-patch = { $org }, Patch-Organisation

## Eine Verzögerung oder ein Fehlschlag

delayed = Das Verbinden Ihres Salesforce-Kontos dauert länger als gewöhnlich. Wir kümmern uns darum.
    .with-link = Sie können es auch mit diesem Link noch einmal versuchen:
    .without-link = Sie können hier auch einen neuen Link anfordern.
failed-superseded = Sie haben sich seitdem noch einmal angemeldet, und die spätere Anmeldung gilt.
failed-wrong-browser = Es wurde nichts verbunden: Die Anmeldung endete in einem anderen Browser als dem, der den Link geöffnet hat.
    .with-link = Bitte öffnen Sie diesen Link und melden Sie sich im selben Browser an:
    .without-link = Bitte fordern Sie hier einen neuen Link an und melden Sie sich in dem Browser an, der ihn öffnet.
failed-wrong-chat = Es wurde kein Salesforce-Konto verbunden: Jemand hat sich mit dem Link dieses Chats angemeldet und den Code aus einem anderen Chat gesendet. Ein Link gilt nur für den Chat, der ihn angefordert hat. Wenn Sie Ihr Konto verbinden möchten, fordern Sie hier einen neuen Link an und senden Sie den Code aus diesem Chat.
failed-unconfirmed = Es wurde nichts verbunden: Der Code, der nach der Anmeldung angezeigt wird, wurde nicht rechtzeitig aus diesem Chat gesendet.
    .with-link = Bitte melden Sie sich mit diesem Link noch einmal an und senden Sie dann den Code hier:
    .without-link = Bitte fordern Sie hier einen neuen Link an, melden Sie sich noch einmal an und senden Sie dann den Code hier.
failed-invalid-callback = Es wurde nichts verbunden: Salesforce hat Sie ohne die Daten zurückgeschickt, die wir brauchen.
    .with-link = Bitte melden Sie sich mit diesem Link noch einmal an:
    .without-link = Bitte fordern Sie hier einen neuen Link an und melden Sie sich noch einmal an.
failed-denied = Ihr Salesforce-Konto wurde nicht verbunden, weil der Zugriff nicht zugelassen wurde.
    .with-link = Wenn Sie es verbinden möchten, öffnen Sie diesen Link und wählen Sie Zulassen:
    .without-link = Wenn Sie es verbinden möchten, fordern Sie hier einen neuen Link an und wählen Sie dann Zulassen.
failed-expired = Es wurde nichts verbunden: Die Anmeldung hat zu lange gedauert.
    .with-link = Bitte melden Sie sich mit diesem Link noch einmal an:
    .without-link = Bitte fordern Sie hier einen neuen Link an und melden Sie sich noch einmal an.
failed-wrong-login-host = Es wurde nichts verbunden: Die Anmeldung erfolgte unter einer anderen Salesforce-Adresse als der des Links.
    .with-link = Bitte öffnen Sie diesen Link und wählen Sie die Adresse, unter der Sie sich anmelden:
    .without-link = Bitte fordern Sie hier einen neuen Link an und melden Sie sich unter der Adresse an, die er nennt.
failed-outdated-link = Dieser Link stammt aus der Zeit, bevor Ihr Salesforce-Konto getrennt wurde, und verbindet deshalb nichts mehr.
    .with-link = Um ein Konto zu verbinden, öffnen Sie bitte diesen Link:
    .without-link = Um ein Konto zu verbinden, fordern Sie hier bitte einen neuen Link an.
failed-used-login = Sie haben den Zugriff mit einer Anmeldung mehrmals zugelassen, und eine Anmeldung verbindet nur ein Konto.
    .with-link = Wenn in diesem Chat steht, dass Ihr Konto verbunden ist, und Sie jedes Mal dasselbe Konto meinten, müssen Sie nichts tun. Andernfalls öffnen Sie bitte diesen Link:
    .without-link = Wenn in diesem Chat steht, dass Ihr Konto verbunden ist, und Sie jedes Mal dasselbe Konto meinten, müssen Sie nichts tun. Andernfalls fordern Sie hier bitte einen neuen Link an.
failed-unknown = Wir konnten nicht feststellen, ob Ihre Anmeldung funktioniert hat.
    .with-link = Um sicherzugehen, melden Sie sich bitte mit diesem Link noch einmal an:
    .without-link = Um sicherzugehen, fordern Sie hier bitte einen neuen Link an und melden Sie sich noch einmal an.
failed-app-blocked = Das Salesforce Ihres Unternehmens lässt diese App noch nicht zu. Bitte lassen Sie sie von Ihrem Salesforce-Administrator zulassen und fordern Sie dann hier einen neuen Link an.
failed-user-inactive = Ihr Salesforce-Benutzer ist nicht aktiv. Bitte lassen Sie ihn von Ihrem Salesforce-Administrator aktivieren und fordern Sie dann hier einen neuen Link an.
failed-org-inactive = Das Salesforce Ihres Unternehmens ist gesperrt oder geschlossen. Bitte wenden Sie sich an Ihren Salesforce-Administrator und fordern Sie dann hier einen neuen Link an.
failed-login-rate = Salesforce hat vorerst zu viele Anmeldungen von Ihnen erhalten.
    .with-link = Bitte warten Sie eine Stunde und versuchen Sie es dann mit diesem Link noch einmal:
    .without-link = Bitte warten Sie eine Stunde und fordern Sie dann hier einen neuen Link an.
failed-misconfigured = Ihr Salesforce-Konto konnte nicht verbunden werden, weil bei uns etwas nicht richtig eingerichtet ist. Sie haben nichts falsch gemacht.
    .with-link = Bitte versuchen Sie es später mit diesem Link noch einmal:
    .without-link = Bitte versuchen Sie es später noch einmal: Fordern Sie hier einen neuen Link an.
failed-salesforce-unavailable = Salesforce antwortet im Moment nicht.
    .with-link = Bitte versuchen Sie es später mit diesem Link noch einmal:
    .without-link = Bitte versuchen Sie es später noch einmal: Fordern Sie hier einen neuen Link an.

## Das Ende einer Verbindung

ended-replaced = Eine frühere Verbindung mit Salesforce ist beendet. Die Verbindung, die Sie seitdem hergestellt haben, ist nicht betroffen.
ended = Ihr Salesforce-Konto ist nicht mehr verbunden.
    .with-link = Wenn Sie es wieder verbinden möchten, öffnen Sie diesen Link:
    .without-link = Wenn Sie es wieder verbinden möchten, fordern Sie hier einen neuen Link an.
ended-expired = Ihr Salesforce-Konto ist nicht mehr verbunden: Salesforce hat die Verbindung beendet.
    .with-link = Um es wieder zu verbinden, melden Sie sich bitte mit diesem Link an:
    .without-link = Um es wieder zu verbinden, fordern Sie hier bitte einen neuen Link an.
ended-user-inactive = Ihr Salesforce-Konto ist nicht mehr verbunden, weil Ihr Salesforce-Benutzer nicht aktiv ist. Bitte lassen Sie ihn von Ihrem Salesforce-Administrator aktivieren und fordern Sie dann hier einen neuen Link an.
ended-org-inactive = Ihr Salesforce-Konto ist nicht mehr verbunden, weil das Salesforce Ihres Unternehmens gesperrt oder geschlossen ist. Bitte wenden Sie sich an Ihren Salesforce-Administrator und fordern Sie dann hier einen neuen Link an.
ended-app-blocked = Ihr Salesforce-Konto ist nicht mehr verbunden, weil das Salesforce Ihres Unternehmens diese App nicht mehr zulässt. Bitte wenden Sie sich an Ihren Salesforce-Administrator und fordern Sie dann hier einen neuen Link an.

## Die Antwort an den Chat, der einen Code gesendet hat

code-confirmed = Danke, das ist der richtige Code. Sie erhalten hier eine Nachricht, sobald Ihr Salesforce-Konto verbunden ist.
code-unknown = Diesen Code kennen wir nicht. Bitte vergleichen Sie ihn mit dem auf der Seite, die Sie nach der Anmeldung gesehen haben, und senden Sie ihn noch einmal. Wenn die Seite nicht mehr offen ist oder jemand anderes Ihnen den Link gegeben hat, fordern Sie hier einen neuen Link an und melden Sie sich noch einmal an.
code-too-late = Dieser Code ist nicht mehr gültig, und es wurde nichts mit ihm verbunden. Um Ihr Salesforce-Konto zu verbinden, fordern Sie hier bitte einen neuen Link an, melden Sie sich noch einmal an und senden Sie den neuen Code innerhalb der Zeit, die auf der Seite steht.
code-wrong-chat = Es wurde nichts verbunden: Dieser Code gehört zu einer Anmeldung mit dem Link eines anderen Chats. Der Zugriff auf Salesforce, der damit zugelassen wurde, ist zurückgenommen. Falls Ihnen jemand diesen Link gegeben hat: Bitte verwenden Sie keine Links, die andere angefordert haben. Um diesen Chat zu verbinden, fordern Sie hier einen eigenen Link an.
code-confirmed-elsewhere = Vorsicht: Dieser Code gehört zu einer Anmeldung mit dem Link eines anderen Chats, und jener Chat hat den Code vor Ihnen gesendet. Das Salesforce-Konto ist dort verbunden und nicht hier. Wenn das Konto Ihnen gehört und der andere Chat nicht, lassen Sie bitte sofort Ihren Salesforce-Administrator den Zugriff dieser App widerrufen. Verwenden Sie keine Links, die andere angefordert haben, und geben Sie niemandem einen Code.
code-too-many-guesses = Zu viele falsche Codes. Bitte warten Sie zehn Minuten, fordern Sie dann hier einen neuen Link an, melden Sie sich noch einmal an und senden Sie den Code, den die Seite zeigt.

### Die Seiten

## Auf jeder Seite

page-back = Zurück zu WhatsApp
page-privacy = Datenschutzerklärung
page-number = Nummer mit den Endziffern { $digits }

## Die Seite eines Links

link-title = Salesforce verbinden
link-preview = Verbinden Sie Ihr Salesforce-Konto mit Ihrem WhatsApp-Chat. Der Link ist für den Chat, der ihn angefordert hat.
link-chat = Ihr Salesforce wird mit diesem WhatsApp-Chat verbunden:
link-unnamed-chat = Ihr Salesforce wird mit *dem WhatsApp-Chat verbunden, der diesen Link angefordert hat*.
link-host = Sie melden sich bei { $host } an.
link-own-chat = *Fahren Sie nur fort, wenn dies Ihr eigener Chat ist und Sie diesen Link dort angefordert haben.*
link-continue = Weiter zu Salesforce
link-choose-host = Wählen Sie die Adresse, unter der Sie sich bei Salesforce anmelden, und melden Sie sich dort an:
link-foreign = Nicht Ihr Chat, oder hat Ihnen jemand anderes diesen Link geschickt? Schließen Sie diese Seite: Noch ist nichts verbunden.

## Warum ein Link nicht öffnet oder sein Knopf nicht funktioniert

link-expired = Dieser Link ist abgelaufen
    .text = Zum Schutz Ihres Salesforce funktionieren Links nur kurze Zeit. Gehen Sie zurück zum Chat und fordern Sie beim Bot einen neuen an.
link-worn-out = Dieser Link wurde zu oft geöffnet
    .text = Zum Schutz Ihres Salesforce beginnt ein Link nur eine begrenzte Zahl von Anmeldungen. Gehen Sie zurück zum Chat und fordern Sie beim Bot einen neuen an.
link-cross-site = Bitte bestätigen Sie noch einmal
    .text = Eine andere Website hat versucht, an Ihrer Stelle fortzufahren. Es wurde nichts verbunden. Prüfen Sie zuerst, um welchen Chat es geht:
    .button = Chat anzeigen
link-unavailable = Das hat gerade nicht geklappt
    .text = Es ist nichts verloren: Ihr Link funktioniert weiterhin. Versuchen Sie es gleich noch einmal.
    .button = Noch einmal versuchen
link-useless = Dieser Link funktioniert nicht
    .text = Vielleicht wurde er unterwegs abgeschnitten. Gehen Sie zurück zum Chat und öffnen Sie ihn dort, oder fordern Sie beim Bot einen neuen an.

## Die Seite nach der Anmeldung

callback-wait = Fast fertig: Zurück zu WhatsApp
    .text = Salesforce hat zugestimmt. Der Chat meldet sich, sobald Ihr Konto verbunden ist, meist innerhalb von Sekunden.
    .text-named = Salesforce hat zugestimmt. Der Chat { $number } meldet sich, sobald Ihr Konto verbunden ist, meist innerhalb von Sekunden.
callback-used = Diese Anmeldung wurde schon verwendet
    .text = Eine Anmeldung verbindet nur ein Konto, und es gilt, was Sie zuerst entschieden haben. Der Chat sagt Ihnen, wie es ausging, und hat bei Bedarf einen neuen Link für Sie.
callback-ended = Nicht verbunden
    .text = Salesforce hat diese Anmeldung beendet, ohne Ihr Konto freizugeben. Der Chat sagt Ihnen, wie es steht, und hat bei Bedarf einen neuen Link für Sie.
callback-unavailable = Bitte noch ein Versuch
    .text = Wir konnten Ihre Anmeldung gerade nicht annehmen. Es ist nichts verloren: Laden Sie diese Seite in ein paar Sekunden neu.
callback-expired = Diese Anmeldung hat zu lange gedauert
    .text = Zu Ihrer Sicherheit funktioniert ein Link nur kurze Zeit. Fordern Sie beim Bot einen neuen an und melden Sie sich noch einmal an.
callback-wrong-browser = Bitte beenden Sie es dort, wo Sie begonnen haben
    .text = Diese Anmeldung wurde in einem anderen Browser begonnen. Öffnen Sie den Link aus Ihrem eigenen Chat und drücken Sie dort den Knopf. Wenn Ihnen jemand diesen Link geschickt hat, schließen Sie die Seite: Er würde Ihr Salesforce mit dem Chat dieser Person verbinden.
callback-nothing-to-do = Hier gibt es nichts zu tun
    .text = Wenn Sie sich gerade bei Salesforce angemeldet haben, gehen Sie zurück zu WhatsApp: Wenn Ihnen ein Code angezeigt wurde, senden Sie ihn dort, und der Chat sagt Ihnen, wie es ausging. Andernfalls fordern Sie beim Bot einen Link an.
callback-unusable = Diese Anmeldung ist nicht verwendbar
    .text = Wir wissen nicht, auf welche Anmeldung sie antwortet. Gehen Sie zurück zu WhatsApp: Wenn der Chat nichts sagt, fordern Sie beim Bot einen neuen Link an und melden Sie sich noch einmal an.

## Die Seite nach der Anmeldung, wenn der Chat seinen Code senden muss

confirm-title = Noch ein Schritt: Senden Sie diesen Code in WhatsApp
confirm-allowed = Sie haben den Zugriff bei Salesforce zugelassen.
confirm-used = Diese Anmeldung wurde schon verwendet, und es gilt, was Sie zuerst entschieden haben.
confirm-send = Ihr Konto ist verbunden, sobald Sie diesen Code aus *dem Chat senden, der den Link angefordert hat*.
confirm-send-named = Ihr Konto ist verbunden, sobald Sie diesen Code aus dem Chat { $number } senden.
confirm-open = WhatsApp mit dem Code öffnen
confirm-message = Confirmation code: { $code }
confirm-qr = QR-Code, der WhatsApp mit dem Code öffnet
confirm-scan = WhatsApp ist auf Ihrem Telefon? Scannen Sie dies mit der Kamera.
confirm-minutes = Der Code gilt { $minutes } Minuten ab Ihrer Anmeldung.
confirm-one-minute = Der Code gilt 1 Minute ab Ihrer Anmeldung.
confirm-secret = *Geben Sie ihn niemandem sonst, wer auch immer danach fragt.*
confirm-close = Hat Ihnen jemand anderes den Link geschickt? Schließen Sie diese Seite, dann wird nichts verbunden. Hat der Chat schon geantwortet? Auch dann können Sie sie schließen.

## Was die Seite von selbst sagt, sobald bekannt ist, wie es ausging

result-connected = Verbunden
    .text = Diese Anmeldung hat Ihr Salesforce mit Ihrem Chat verbunden. Sie können diese Seite schließen.
    .text-named = Diese Anmeldung hat Ihr Salesforce mit dem Chat { $number } verbunden. Sie können diese Seite schließen.
result-delayed = Es dauert länger als gewöhnlich. Sie müssen hier nicht warten: Der Chat sagt Ihnen, wie es ausging.
result-relink = Nicht verbunden
    .text = Diese Anmeldung hat nichts verbunden. Der Chat sagt Ihnen, warum, und hat einen neuen Link für Sie.
result-contact-admin = Nicht verbunden
    .text = Salesforce lässt Ihr Konto hier nicht zu. Ihr Salesforce-Administrator kann das ändern; der Chat sagt Ihnen mehr.
result-wait = Noch nicht verbunden
    .text = Es funktioniert gerade nicht. Der Chat sagt Ihnen, wann Sie es noch einmal versuchen können, mit einem Link dafür.
result-failed = Nicht verbunden
    .text = Diese Anmeldung hat nichts verbunden. Wenn es Ihre war, sagt Ihnen der Chat, wie es steht.
