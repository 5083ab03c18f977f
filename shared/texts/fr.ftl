# Français. Vouvoiement. Une espace insécable (U+00A0) précède « : ; ? ! ». S'identifier : dans Salesforce. Connecter : le compte à la discussion.

### Le message dans la discussion

## Une connexion

connected = ✅ Votre compte Salesforce est maintenant connecté !
connected-as = Connecté en tant que { $username }.
connected-as-in = Connecté en tant que { $username } ({ $org }).
connected-to = Connecté à l'organisation { $org }.
connected-undo = Ce n'est pas vous ? Répondez *disconnect*.
org-sandbox-named = { $org }, sandbox { $sandbox }
org-sandbox = { $org }, sandbox
org-developer = { $org }, organisation de développement
org-scratch = { $org }, organisation test
org-trailhead = { $org }, Trailhead Playground
org-demo = { $org }, organisation de démonstration
org-free = { $org }, organisation gratuite
org-patch = { $org }, organisation de correctifs

## Un retard ou un échec

delayed = La connexion de votre compte Salesforce prend plus de temps que d'habitude. Nous vérifions pourquoi.
    .with-link = Vous pouvez aussi réessayer avec ce lien :
    .without-link = Vous pouvez aussi demander ici un nouveau lien.
failed-superseded = Une nouvelle identification a eu lieu depuis, et c'est la dernière qui compte.
failed-wrong-browser = Rien n'a été connecté : l'identification s'est terminée dans un autre navigateur que celui qui a ouvert le lien.
    .with-link = Ouvrez ce lien et identifiez-vous dans le même navigateur :
    .without-link = Demandez ici un nouveau lien et identifiez-vous dans le navigateur qui l'ouvre.
failed-wrong-chat = Aucun compte Salesforce n'a été connecté : quelqu'un s'est identifié avec le lien de cette discussion et a envoyé le code depuis une autre discussion. Un lien ne sert qu'à la discussion qui l'a demandé. Si vous voulez connecter votre compte, demandez ici un nouveau lien et envoyez le code depuis cette discussion.
failed-unconfirmed = Rien n'a été connecté : le code affiché après l'identification n'a pas été envoyé à temps depuis cette discussion.
    .with-link = Identifiez-vous de nouveau avec ce lien, puis envoyez le code ici :
    .without-link = Demandez ici un nouveau lien, identifiez-vous de nouveau, puis envoyez le code ici.
failed-invalid-callback = Rien n'a été connecté : Salesforce vous a renvoyé sans les informations dont nous avons besoin.
    .with-link = Identifiez-vous de nouveau avec ce lien :
    .without-link = Demandez ici un nouveau lien et identifiez-vous de nouveau.
failed-denied = Votre compte Salesforce n'a pas été connecté, car l'accès n'a pas été autorisé.
    .with-link = Si vous voulez le connecter, ouvrez ce lien et choisissez Autoriser :
    .without-link = Si vous voulez le connecter, demandez ici un nouveau lien, puis choisissez Autoriser.
failed-expired = Rien n'a été connecté : l'identification a pris trop de temps.
    .with-link = Identifiez-vous de nouveau avec ce lien :
    .without-link = Demandez ici un nouveau lien et identifiez-vous de nouveau.
failed-wrong-login-host = Rien n'a été connecté : l'identification a eu lieu à une autre adresse Salesforce que celle du lien.
    .with-link = Ouvrez ce lien et choisissez l'adresse à laquelle vous vous identifiez :
    .without-link = Demandez ici un nouveau lien et identifiez-vous à l'adresse qu'il indique.
failed-outdated-link = Ce lien date d'avant la déconnexion de votre compte Salesforce : il ne connecte plus rien.
    .with-link = Pour connecter un compte, ouvrez ce lien :
    .without-link = Pour connecter un compte, demandez ici un nouveau lien.
failed-used-login = Vous avez autorisé l'accès plusieurs fois avec une seule identification, et une identification connecte un seul compte.
    .with-link = Si cette discussion indique que votre compte est connecté et que vous vouliez le même compte à chaque fois, vous n'avez rien à faire. Sinon, ouvrez ce lien :
    .without-link = Si cette discussion indique que votre compte est connecté et que vous vouliez le même compte à chaque fois, vous n'avez rien à faire. Sinon, demandez ici un nouveau lien.
failed-unknown = Nous n'avons pas pu savoir si votre identification a réussi.
    .with-link = Par sécurité, identifiez-vous de nouveau avec ce lien :
    .without-link = Par sécurité, demandez ici un nouveau lien et identifiez-vous de nouveau.
failed-app-blocked = Le Salesforce de votre entreprise n'autorise pas encore cette application. Demandez à votre administrateur Salesforce de l'autoriser, puis demandez ici un nouveau lien.
failed-user-inactive = Votre utilisateur Salesforce n'est pas actif. Demandez à votre administrateur Salesforce de l'activer, puis demandez ici un nouveau lien.
failed-org-inactive = Le Salesforce de votre entreprise est verrouillé ou fermé. Adressez-vous à votre administrateur Salesforce, puis demandez ici un nouveau lien.
failed-login-rate = Salesforce a reçu trop d'identifications de votre part pour le moment.
    .with-link = Attendez une heure, puis réessayez avec ce lien :
    .without-link = Attendez une heure, puis demandez ici un nouveau lien.
failed-misconfigured = Votre compte Salesforce n'a pas pu être connecté, car quelque chose n'est pas bien configuré de notre côté. Vous n'avez rien fait de mal.
    .with-link = Réessayez plus tard avec ce lien :
    .without-link = Réessayez plus tard : demandez ici un nouveau lien.
failed-salesforce-unavailable = Salesforce ne répond pas pour le moment.
    .with-link = Réessayez plus tard avec ce lien :
    .without-link = Réessayez plus tard : demandez ici un nouveau lien.

## La fin d'une connexion

ended-replaced = Une connexion antérieure à Salesforce a pris fin. Celle que vous avez établie depuis n'est pas concernée.
ended = Votre compte Salesforce n'est plus connecté.
    .with-link = Si vous voulez le reconnecter, ouvrez ce lien :
    .without-link = Si vous voulez le reconnecter, demandez ici un nouveau lien.
ended-expired = Votre compte Salesforce n'est plus connecté : Salesforce a mis fin à la connexion.
    .with-link = Pour le reconnecter, identifiez-vous avec ce lien :
    .without-link = Pour le reconnecter, demandez ici un nouveau lien.
ended-user-inactive = Votre compte Salesforce n'est plus connecté, car votre utilisateur Salesforce n'est pas actif. Demandez à votre administrateur Salesforce de l'activer, puis demandez ici un nouveau lien.
ended-org-inactive = Votre compte Salesforce n'est plus connecté, car le Salesforce de votre entreprise est verrouillé ou fermé. Adressez-vous à votre administrateur Salesforce, puis demandez ici un nouveau lien.
ended-app-blocked = Votre compte Salesforce n'est plus connecté, car le Salesforce de votre entreprise n'autorise plus cette application. Adressez-vous à votre administrateur Salesforce, puis demandez ici un nouveau lien.

## La réponse à la discussion qui a envoyé un code

code-confirmed = Merci, c'est le bon code. Vous recevrez un message ici lorsque votre compte Salesforce sera connecté.
code-unknown = Nous ne connaissons pas ce code. Comparez-le avec celui de la page que vous avez vue après l'identification, et envoyez-le de nouveau. Si la page n'est plus ouverte, ou si quelqu'un d'autre vous a donné le lien, demandez ici un nouveau lien et identifiez-vous de nouveau.
code-too-late = Ce code n'est plus valable, et rien n'a été connecté avec lui. Pour connecter votre compte Salesforce, demandez ici un nouveau lien, identifiez-vous de nouveau et envoyez le nouveau code dans le délai indiqué par la page.
code-wrong-chat = Rien n'a été connecté : ce code provient d'une identification avec le lien d'une autre discussion. L'accès à Salesforce qui avait été autorisé a été retiré. Si quelqu'un vous a donné ce lien : n'utilisez pas les liens que d'autres ont demandés. Pour connecter cette discussion, demandez ici votre propre lien.
code-confirmed-elsewhere = Attention : ce code provient d'une identification avec le lien d'une autre discussion, qui a envoyé le code avant vous. Le compte Salesforce est connecté là-bas, et pas ici. Si le compte est le vôtre et que l'autre discussion ne l'est pas, demandez immédiatement à votre administrateur Salesforce de révoquer l'accès de cette application. N'utilisez pas les liens que d'autres ont demandés, et ne donnez de code à personne.
code-too-many-guesses = Trop de codes erronés. Attendez dix minutes, puis demandez ici un nouveau lien, identifiez-vous de nouveau et envoyez le code affiché sur la page.

### Les pages

## Sur toutes les pages

page-back = Retour à WhatsApp
page-privacy = Politique de confidentialité
page-number = numéro se terminant par { $digits }

## La page d'un lien

link-title = Connecter Salesforce
link-preview = Connectez votre compte Salesforce à votre discussion WhatsApp. Le lien est destiné à la discussion qui l'a demandé.
link-chat = Votre Salesforce sera connecté à cette discussion WhatsApp :
link-unnamed-chat = Votre Salesforce sera connecté à *la discussion WhatsApp qui a demandé ce lien*.
link-host = Vous vous identifierez sur { $host }.
link-own-chat = *Ne continuez que si c'est votre propre discussion et que vous y avez demandé ce lien.*
link-continue = Continuer vers Salesforce
link-choose-host = Choisissez l'adresse à laquelle vous vous identifiez dans Salesforce, et identifiez-vous-y :
link-foreign = Ce n'est pas votre discussion, ou quelqu'un d'autre vous a envoyé ce lien ? Fermez cette page : rien n'est encore connecté.

## Pourquoi un lien ne s'ouvre pas, ou son bouton ne marche pas

link-expired = Ce lien a expiré
    .text = Pour protéger votre Salesforce, les liens ne marchent que peu de temps. Retournez à la discussion et demandez-en un nouveau au bot.
link-worn-out = Ce lien a été ouvert trop souvent
    .text = Pour protéger votre Salesforce, un lien ne lance qu'un nombre limité d'identifications. Retournez à la discussion et demandez-en un nouveau au bot.
link-cross-site = Confirmez encore une fois
    .text = Un autre site a essayé de continuer à votre place. Rien n'a été connecté. Vérifiez d'abord de quelle discussion il s'agit :
    .button = Afficher la discussion
link-unavailable = Cela n'a pas marché pour l'instant
    .text = Rien n'est perdu : votre lien marche toujours. Réessayez dans un instant.
    .button = Réessayer
link-useless = Ce lien ne marche pas
    .text = Il a peut-être été coupé en chemin. Retournez à la discussion et ouvrez-le depuis là, ou demandez-en un nouveau au bot.

## La page après l'identification

callback-wait = C'est presque fini : retournez à WhatsApp
    .text = Salesforce a dit oui. La discussion vous prévient dès que votre compte est connecté, le plus souvent en quelques secondes.
    .text-named = Salesforce a dit oui. La discussion { $number } vous prévient dès que votre compte est connecté, le plus souvent en quelques secondes.
callback-used = Cette identification a déjà servi
    .text = Une identification connecte un seul compte, et c'est votre première décision qui compte. La discussion vous dit ce qu'il en est et a un nouveau lien pour vous si nécessaire.
callback-ended = Non connecté
    .text = Salesforce a mis fin à cette identification sans partager votre compte. La discussion vous dit ce qu'il en est et a un nouveau lien pour vous si nécessaire.
callback-unavailable = Encore un essai, s'il vous plaît
    .text = Nous n'avons pas pu prendre en compte votre identification pour l'instant. Rien n'est perdu : rechargez cette page dans quelques secondes.
callback-expired = Cette identification a pris trop de temps
    .text = Pour votre sécurité, un lien ne marche que peu de temps. Demandez-en un nouveau au bot et identifiez-vous de nouveau.
callback-wrong-browser = Terminez là où vous avez commencé
    .text = Cette identification a commencé dans un autre navigateur. Ouvrez le lien depuis votre propre discussion et appuyez sur le bouton. Si quelqu'un vous a envoyé ce lien, fermez la page : il connecterait votre Salesforce à la discussion de cette personne.
callback-nothing-to-do = Il n'y a rien à faire ici
    .text = Si vous venez de vous identifier dans Salesforce, retournez à WhatsApp : si un code vous a été affiché, envoyez-le là-bas, et la discussion vous dit ce qu'il en est. Sinon, demandez un lien au bot.
callback-unusable = Cette identification est inutilisable
    .text = Nous ne savons pas à quelle identification elle répond. Retournez à WhatsApp : si la discussion ne dit rien, demandez un nouveau lien au bot et identifiez-vous de nouveau.

## La page après l'identification, quand la discussion doit envoyer son code

confirm-title = Encore une étape : envoyez ce code dans WhatsApp
confirm-allowed = Vous avez autorisé l'accès dans Salesforce.
confirm-used = Cette identification a déjà servi, et c'est votre première décision qui compte.
confirm-send = Votre compte sera connecté dès que vous enverrez ce code depuis *la discussion qui a demandé le lien*.
confirm-send-named = Votre compte sera connecté dès que vous enverrez ce code depuis la discussion { $number }.
confirm-open = Ouvrir WhatsApp avec le code
confirm-message = Confirmation code: { $code }
confirm-qr = Code QR qui ouvre WhatsApp avec le code
confirm-scan = WhatsApp est sur votre téléphone ? Scannez ceci avec son appareil photo.
confirm-minutes = Le code est valable { $minutes } minutes après votre identification.
confirm-one-minute = Le code est valable 1 minute après votre identification.
confirm-secret = *Ne le donnez à personne d'autre, qui que ce soit qui le demande.*
confirm-close = Quelqu'un d'autre vous a envoyé le lien ? Fermez cette page, et rien ne sera connecté. La discussion a déjà répondu ? Alors vous pouvez aussi la fermer.

## Ce que la page dit d'elle-même une fois que l'on sait ce qu'il en est

result-connected = Connecté
    .text = Cette identification a connecté votre Salesforce à votre discussion. Vous pouvez fermer cette page.
    .text-named = Cette identification a connecté votre Salesforce à la discussion { $number }. Vous pouvez fermer cette page.
result-delayed = Cela prend plus de temps que d'habitude. Inutile d'attendre ici : la discussion vous dira ce qu'il en est.
result-relink = Non connecté
    .text = Cette identification n'a rien connecté. La discussion vous dit pourquoi et a un nouveau lien pour vous.
result-contact-admin = Non connecté
    .text = Salesforce ne laisse pas entrer votre compte ici. Votre administrateur Salesforce peut changer cela ; la discussion vous en dit plus.
result-wait = Pas encore connecté
    .text = Cela ne marche pas pour l'instant. La discussion vous dit quand réessayer, avec un lien pour cela.
result-failed = Non connecté
    .text = Cette identification n'a rien connecté. Si c'était la vôtre, la discussion vous dit ce qu'il en est.
