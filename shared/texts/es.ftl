# Español. Trato: tú. Iniciar sesión: en Salesforce. Conectar: la cuenta con el chat.

### El mensaje en el chat

## Una conexión

connected = ✅ ¡Tu cuenta de Salesforce ya está conectada!
connected-as = Conectada como { $username }.
connected-as-in = Conectada como { $username } ({ $org }).
connected-to = Conectada a la organización { $org }.
connected-undo = ¿No eres tú? Responde *disconnect*.
org-sandbox-named = { $org }, sandbox { $sandbox }
org-sandbox = { $org }, sandbox
org-developer = { $org }, organización de desarrollo
org-scratch = { $org }, organización temporal
org-trailhead = { $org }, Trailhead Playground
org-demo = { $org }, organización de demostración
org-free = { $org }, organización gratuita
org-patch = { $org }, organización de parches

## Un retraso o un fallo

delayed = Conectar tu cuenta de Salesforce está tardando más de lo habitual. Lo estamos revisando.
    .with-link = También puedes volver a intentarlo con este enlace:
    .without-link = También puedes pedir aquí un enlace nuevo.
failed-superseded = Has vuelto a iniciar sesión después, y el último inicio de sesión es el que cuenta.
failed-wrong-browser = Tu cuenta de Salesforce aún no está conectada: el inicio de sesión terminó en un navegador distinto del que abrió el enlace.
    .with-link = Abre este enlace e inicia sesión en el mismo navegador:
    .without-link = Pide aquí un enlace nuevo e inicia sesión en el mismo navegador en el que lo abras.
failed-wrong-chat = No se ha conectado ninguna cuenta de Salesforce: alguien inició sesión con el enlace de este chat y envió el código desde otro chat. Un enlace solo sirve para el chat que lo pidió. Si quieres conectar tu cuenta, pide aquí un enlace nuevo y envía el código desde este chat.
failed-unconfirmed = Tu cuenta de Salesforce aún no está conectada: el código que aparece después de iniciar sesión no se envió a tiempo desde este chat.
    .with-link = Vuelve a iniciar sesión con este enlace y después envía aquí el código:
    .without-link = Pide aquí un enlace nuevo, vuelve a iniciar sesión y después envía aquí el código.
failed-invalid-callback = Tu cuenta de Salesforce aún no está conectada: Salesforce te devolvió sin los datos que necesitamos.
    .with-link = Vuelve a iniciar sesión con este enlace:
    .without-link = Pide aquí un enlace nuevo y vuelve a iniciar sesión.
failed-denied = Tu cuenta de Salesforce no se ha conectado porque no se permitió el acceso.
    .with-link = Si quieres conectarla, abre este enlace y elige Permitir:
    .without-link = Si quieres conectarla, pide aquí un enlace nuevo y después elige Permitir.
failed-expired = Tu cuenta de Salesforce aún no está conectada: el inicio de sesión tardó demasiado.
    .with-link = Vuelve a iniciar sesión con este enlace:
    .without-link = Pide aquí un enlace nuevo y vuelve a iniciar sesión.
failed-wrong-login-host = Tu cuenta de Salesforce aún no está conectada: iniciaste sesión en una dirección de Salesforce distinta de la del enlace.
    .with-link = Abre este enlace y elige la dirección en la que inicias sesión:
    .without-link = Pide aquí un enlace nuevo e inicia sesión en la dirección que indica.
failed-outdated-link = Ese enlace es anterior a la desconexión de tu cuenta de Salesforce, así que ya no conecta nada.
    .with-link = Para conectar una cuenta, abre este enlace:
    .without-link = Para conectar una cuenta, pide aquí un enlace nuevo.
failed-used-login = Has permitido el acceso más de una vez con un mismo inicio de sesión, y cada inicio de sesión conecta una sola cuenta.
    .with-link = Si este chat dice que tu cuenta está conectada y querías la misma cuenta cada vez, no tienes que hacer nada. Si no, abre este enlace:
    .without-link = Si este chat dice que tu cuenta está conectada y querías la misma cuenta cada vez, no tienes que hacer nada. Si no, pide aquí un enlace nuevo.
failed-unknown = No hemos podido averiguar si tu inicio de sesión funcionó.
    .with-link = Para asegurarte, vuelve a iniciar sesión con este enlace:
    .without-link = Para asegurarte, pide aquí un enlace nuevo y vuelve a iniciar sesión.
failed-app-blocked = El Salesforce de tu empresa aún no permite esta aplicación. Pide a tu administrador de Salesforce que la permita y después pide aquí un enlace nuevo.
failed-user-inactive = Tu usuario de Salesforce no está activo. Pide a tu administrador de Salesforce que lo active y después pide aquí un enlace nuevo.
failed-org-inactive = El Salesforce de tu empresa está bloqueado o cerrado. Consulta a tu administrador de Salesforce y después pide aquí un enlace nuevo.
failed-login-rate = Por ahora Salesforce ha recibido demasiados inicios de sesión tuyos.
    .with-link = Espera una hora y vuelve a intentarlo con este enlace:
    .without-link = Espera una hora y después pide aquí un enlace nuevo.
failed-misconfigured = No hemos podido conectar tu cuenta de Salesforce porque algo no está bien configurado por nuestra parte. No has hecho nada mal.
    .with-link = Vuelve a intentarlo más tarde con este enlace:
    .without-link = Vuelve a intentarlo más tarde: pide aquí un enlace nuevo.
failed-salesforce-unavailable = Salesforce no responde en este momento.
    .with-link = Vuelve a intentarlo más tarde con este enlace:
    .without-link = Vuelve a intentarlo más tarde: pide aquí un enlace nuevo.

## El fin de una conexión

ended-replaced = Una conexión anterior con Salesforce ha terminado. La que has hecho después no se ve afectada.
ended = Tu cuenta de Salesforce ya no está conectada.
    .with-link = Si quieres volver a conectarla, abre este enlace:
    .without-link = Si quieres volver a conectarla, pide aquí un enlace nuevo.
ended-expired = Tu cuenta de Salesforce ya no está conectada: Salesforce ha terminado la conexión.
    .with-link = Para volver a conectarla, inicia sesión con este enlace:
    .without-link = Para volver a conectarla, pide aquí un enlace nuevo.
ended-user-inactive = Tu cuenta de Salesforce ya no está conectada porque tu usuario de Salesforce no está activo. Pide a tu administrador de Salesforce que lo active y después pide aquí un enlace nuevo.
ended-org-inactive = Tu cuenta de Salesforce ya no está conectada porque el Salesforce de tu empresa está bloqueado o cerrado. Consulta a tu administrador de Salesforce y después pide aquí un enlace nuevo.
ended-app-blocked = Tu cuenta de Salesforce ya no está conectada porque el Salesforce de tu empresa ya no permite esta aplicación. Consulta a tu administrador de Salesforce y después pide aquí un enlace nuevo.

## La respuesta al chat que ha enviado un código

code-confirmed = Gracias, es el código correcto. Recibirás aquí un mensaje cuando tu cuenta de Salesforce esté conectada.
code-unknown = No conocemos ese código. Compáralo con el de la página que viste después de iniciar sesión y vuelve a enviarlo. Si ya no tienes la página, pide aquí un enlace nuevo y vuelve a iniciar sesión.
code-too-late = Ese código ya no es válido y no se ha conectado nada con él. Para conectar tu cuenta de Salesforce, pide aquí un enlace nuevo, vuelve a iniciar sesión y envía el código nuevo dentro del tiempo que indica la página.
code-wrong-chat = No se ha conectado nada: ese código es de un inicio de sesión con el enlace de otro chat. El acceso a Salesforce que se permitió con él se ha retirado. Si alguien te dio ese enlace: no uses enlaces que hayan pedido otras personas. Para conectar este chat, pide aquí tu propio enlace.
code-confirmed-elsewhere = Cuidado: ese código es de un inicio de sesión con el enlace de otro chat, y ese chat ha enviado el código antes que tú. La cuenta de Salesforce está conectada allí y no aquí. Si la cuenta es tuya y el otro chat no, pide ahora mismo a tu administrador de Salesforce que revoque el acceso de esta aplicación. No uses enlaces que hayan pedido otras personas y no des ningún código a nadie.
code-too-many-guesses = Demasiados códigos incorrectos. Espera diez minutos, pide aquí un enlace nuevo, vuelve a iniciar sesión y envía el código que muestra la página.
