# Français. Vouvoiement. S'identifier : dans Salesforce. Connecter : le compte à la discussion.

### Le message dans la discussion

## Une connexion

connected = ✅ Votre compte Salesforce est maintenant connecté !
connected-as = Connecté en tant que { $username }.
connected-as-in = Connecté en tant que { $username } ({ $org }).
connected-to = Connecté à l'organisation { $org }.
connected-undo = Ce n'est pas vous ? Répondez *disconnect*.
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
    .with-link = Vous pouvez aussi réessayer avec ce lien :
    .without-link = Vous pouvez aussi demander ici un nouveau lien.
failed-superseded = Vous vous êtes de nouveau identifié depuis, et c'est la dernière identification qui compte.
failed-wrong-browser = Votre compte Salesforce n'est pas encore connecté : l'identification s'est terminée dans un autre navigateur que celui qui a ouvert le lien.
    .with-link = Ouvrez ce lien et identifiez-vous dans le même navigateur :
    .without-link = Demandez ici un nouveau lien et identifiez-vous dans le navigateur qui l'ouvre.
failed-wrong-chat = Aucun compte Salesforce n'a été connecté : quelqu'un s'est identifié avec le lien de cette discussion et a envoyé le code depuis une autre discussion. Un lien ne sert qu'à la discussion qui l'a demandé. Si vous voulez connecter votre compte, demandez ici un nouveau lien et envoyez le code depuis cette discussion.
failed-unconfirmed = Votre compte Salesforce n'est pas encore connecté : le code affiché après l'identification n'a pas été envoyé à temps depuis cette discussion.
    .with-link = Identifiez-vous de nouveau avec ce lien, puis envoyez le code ici :
    .without-link = Demandez ici un nouveau lien, identifiez-vous de nouveau, puis envoyez le code ici.
failed-invalid-callback = Votre compte Salesforce n'est pas encore connecté : Salesforce vous a renvoyé sans les informations dont nous avons besoin.
    .with-link = Identifiez-vous de nouveau avec ce lien :
    .without-link = Demandez ici un nouveau lien et identifiez-vous de nouveau.
failed-denied = Votre compte Salesforce n'a pas été connecté, car l'accès n'a pas été autorisé.
    .with-link = Si vous voulez le connecter, ouvrez ce lien et choisissez Autoriser :
    .without-link = Si vous voulez le connecter, demandez ici un nouveau lien, puis choisissez Autoriser.
failed-expired = Votre compte Salesforce n'est pas encore connecté : l'identification a pris trop de temps.
    .with-link = Identifiez-vous de nouveau avec ce lien :
    .without-link = Demandez ici un nouveau lien et identifiez-vous de nouveau.
failed-wrong-login-host = Votre compte Salesforce n'est pas encore connecté : vous vous êtes identifié à une autre adresse Salesforce que celle du lien.
    .with-link = Ouvrez ce lien et choisissez l'adresse à laquelle vous vous identifiez :
    .without-link = Demandez ici un nouveau lien et identifiez-vous à l'adresse qu'il indique.
failed-outdated-link = Ce lien date d'avant la déconnexion de votre compte Salesforce : il ne connecte plus rien.
    .with-link = Pour connecter un compte, ouvrez ce lien :
    .without-link = Pour connecter un compte, demandez ici un nouveau lien.
failed-used-login = Vous avez autorisé l'accès plusieurs fois avec une seule identification, et une identification connecte un seul compte.
    .with-link = Si cette discussion indique que votre compte est connecté et que vous vouliez le même compte à chaque fois, vous n'avez rien à faire. Sinon, ouvrez ce lien :
    .without-link = Si cette discussion indique que votre compte est connecté et que vous vouliez le même compte à chaque fois, vous n'avez rien à faire. Sinon, demandez ici un nouveau lien.
failed-unknown = Nous n'avons pas pu savoir si votre identification a réussi.
    .with-link = Pour en être sûr, identifiez-vous de nouveau avec ce lien :
    .without-link = Pour en être sûr, demandez ici un nouveau lien et identifiez-vous de nouveau.
failed-app-blocked = Le Salesforce de votre entreprise n'autorise pas encore cette application. Demandez à votre administrateur Salesforce de l'autoriser, puis demandez ici un nouveau lien.
failed-user-inactive = Votre utilisateur Salesforce n'est pas actif. Demandez à votre administrateur Salesforce de l'activer, puis demandez ici un nouveau lien.
failed-org-inactive = Le Salesforce de votre entreprise est verrouillé ou fermé. Adressez-vous à votre administrateur Salesforce, puis demandez ici un nouveau lien.
failed-login-rate = Salesforce a reçu trop d'identifications de votre part pour le moment.
    .with-link = Attendez une heure, puis réessayez avec ce lien :
    .without-link = Attendez une heure, puis demandez ici un nouveau lien.
failed-misconfigured = Votre compte Salesforce n'a pas pu être connecté, car quelque chose n'est pas bien configuré de notre côté. Vous n'avez rien fait de mal.
    .with-link = Réessayez plus tard avec ce lien :
    .without-link = Réessayez plus tard : demandez ici un nouveau lien.
failed-salesforce-unavailable = Salesforce ne répond pas pour le moment.
    .with-link = Réessayez plus tard avec ce lien :
    .without-link = Réessayez plus tard : demandez ici un nouveau lien.

## La fin d'une connexion

ended-replaced = Une connexion antérieure à Salesforce a pris fin. Celle que vous avez établie depuis n'est pas concernée.
ended = Votre compte Salesforce n'est plus connecté.
    .with-link = Si vous voulez le reconnecter, ouvrez ce lien :
    .without-link = Si vous voulez le reconnecter, demandez ici un nouveau lien.
ended-expired = Votre compte Salesforce n'est plus connecté : Salesforce a mis fin à la connexion.
    .with-link = Pour le reconnecter, identifiez-vous avec ce lien :
    .without-link = Pour le reconnecter, demandez ici un nouveau lien.
ended-user-inactive = Votre compte Salesforce n'est plus connecté, car votre utilisateur Salesforce n'est pas actif. Demandez à votre administrateur Salesforce de l'activer, puis demandez ici un nouveau lien.
ended-org-inactive = Votre compte Salesforce n'est plus connecté, car le Salesforce de votre entreprise est verrouillé ou fermé. Adressez-vous à votre administrateur Salesforce, puis demandez ici un nouveau lien.
ended-app-blocked = Votre compte Salesforce n'est plus connecté, car le Salesforce de votre entreprise n'autorise plus cette application. Adressez-vous à votre administrateur Salesforce, puis demandez ici un nouveau lien.

## La réponse à la discussion qui a envoyé un code

code-confirmed = Merci, c'est le bon code. Vous recevrez un message ici lorsque votre compte Salesforce sera connecté.
code-unknown = Nous ne connaissons pas ce code. Comparez-le avec celui de la page que vous avez vue après l'identification, et envoyez-le de nouveau. Si la page n'est plus ouverte, demandez ici un nouveau lien et identifiez-vous de nouveau.
code-too-late = Ce code n'est plus valable, et rien n'a été connecté avec lui. Pour connecter votre compte Salesforce, demandez ici un nouveau lien, identifiez-vous de nouveau et envoyez le nouveau code dans le délai indiqué par la page.
code-wrong-chat = Rien n'a été connecté : ce code provient d'une identification avec le lien d'une autre discussion. L'accès à Salesforce qui avait été autorisé a été retiré. Si quelqu'un vous a donné ce lien : n'utilisez pas les liens que d'autres ont demandés. Pour connecter cette discussion, demandez ici votre propre lien.
code-confirmed-elsewhere = Attention : ce code provient d'une identification avec le lien d'une autre discussion, qui a envoyé le code avant vous. Le compte Salesforce est connecté là-bas, et pas ici. Si le compte est le vôtre et que l'autre discussion ne l'est pas, demandez immédiatement à votre administrateur Salesforce de révoquer l'accès de cette application. N'utilisez pas les liens que d'autres ont demandés, et ne donnez de code à personne.
code-too-many-guesses = Trop de codes erronés. Attendez dix minutes, puis demandez ici un nouveau lien, identifiez-vous de nouveau et envoyez le code affiché sur la page.
