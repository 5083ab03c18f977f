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
failed-wrong-browser = No se ha conectado nada: el inicio de sesión terminó en un navegador distinto del que abrió el enlace.
    .with-link = Abre este enlace e inicia sesión en el mismo navegador:
    .without-link = Pide aquí un enlace nuevo e inicia sesión en el mismo navegador en el que lo abras.
failed-wrong-chat = No se ha conectado ninguna cuenta de Salesforce: alguien inició sesión con el enlace de este chat y envió el código desde otro chat. Un enlace solo sirve para el chat que lo pidió. Si quieres conectar tu cuenta, pide aquí un enlace nuevo y envía el código desde este chat.
failed-unconfirmed = No se ha conectado nada: el código que aparece después de iniciar sesión no se envió a tiempo desde este chat.
    .with-link = Vuelve a iniciar sesión con este enlace y después envía aquí el código:
    .without-link = Pide aquí un enlace nuevo, vuelve a iniciar sesión y después envía aquí el código.
failed-invalid-callback = No se ha conectado nada: Salesforce te devolvió sin los datos que necesitamos.
    .with-link = Vuelve a iniciar sesión con este enlace:
    .without-link = Pide aquí un enlace nuevo y vuelve a iniciar sesión.
failed-denied = Tu cuenta de Salesforce no se ha conectado porque no se permitió el acceso.
    .with-link = Si quieres conectarla, abre este enlace y elige Permitir:
    .without-link = Si quieres conectarla, pide aquí un enlace nuevo y después elige Permitir.
failed-expired = No se ha conectado nada: el inicio de sesión tardó demasiado.
    .with-link = Vuelve a iniciar sesión con este enlace:
    .without-link = Pide aquí un enlace nuevo y vuelve a iniciar sesión.
failed-wrong-login-host = No se ha conectado nada: iniciaste sesión en una dirección de Salesforce distinta de la del enlace.
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
code-unknown = No conocemos ese código. Compáralo con el de la página que viste después de iniciar sesión y vuelve a enviarlo. Si ya no tienes la página, o si otra persona te dio el enlace, pide aquí un enlace nuevo y vuelve a iniciar sesión.
code-too-late = Ese código ya no es válido y no se ha conectado nada con él. Para conectar tu cuenta de Salesforce, pide aquí un enlace nuevo, vuelve a iniciar sesión y envía el código nuevo dentro del tiempo que indica la página.
code-wrong-chat = No se ha conectado nada: ese código es de un inicio de sesión con el enlace de otro chat. El acceso a Salesforce que se permitió con él se ha retirado. Si alguien te dio ese enlace: no uses enlaces que hayan pedido otras personas. Para conectar este chat, pide aquí tu propio enlace.
code-confirmed-elsewhere = Cuidado: ese código es de un inicio de sesión con el enlace de otro chat, y ese chat ha enviado el código antes que tú. La cuenta de Salesforce está conectada allí y no aquí. Si la cuenta es tuya y el otro chat no, pide ahora mismo a tu administrador de Salesforce que revoque el acceso de esta aplicación. No uses enlaces que hayan pedido otras personas y no des ningún código a nadie.
code-too-many-guesses = Demasiados códigos incorrectos. Espera diez minutos, pide aquí un enlace nuevo, vuelve a iniciar sesión y envía el código que muestra la página.

### Las páginas

## En todas las páginas

page-back = Volver a WhatsApp
page-privacy = Política de privacidad
page-number = número que termina en { $digits }

## La página de un enlace

link-title = Conectar Salesforce
link-preview = Conecta tu cuenta de Salesforce con tu chat de WhatsApp. El enlace es para el chat que lo pidió.
link-chat = Tu Salesforce se conectará con este chat de WhatsApp:
link-unnamed-chat = Tu Salesforce se conectará con *el chat de WhatsApp que pidió este enlace*.
link-host = Iniciarás sesión en { $host }.
link-own-chat = *Continúa solo si este es tu propio chat y pediste este enlace allí.*
link-continue = Continuar a Salesforce
link-choose-host = Elige la dirección en la que inicias sesión en Salesforce e inicia sesión allí:
link-foreign = ¿No es tu chat o te envió este enlace otra persona? Cierra esta página: aún no se ha conectado nada.

## Por qué un enlace no se abre o su botón no funciona

link-expired = Este enlace ha caducado
    .text = Los enlaces funcionan solo un rato, para proteger tu Salesforce. Vuelve al chat y pide uno nuevo al bot.
link-worn-out = Este enlace se abrió demasiadas veces
    .text = Para proteger tu Salesforce, un enlace inicia solo un número limitado de sesiones. Vuelve al chat y pide uno nuevo al bot.
link-cross-site = Confirma una vez más
    .text = Otro sitio web intentó continuar en tu lugar. No se ha conectado nada. Comprueba primero qué chat es:
    .button = Mostrarme el chat
link-unavailable = No ha funcionado en este momento
    .text = No se ha perdido nada: tu enlace sigue funcionando. Vuelve a intentarlo en un momento.
    .button = Volver a intentarlo
link-useless = Este enlace no funciona
    .text = Puede que se haya cortado por el camino. Vuelve al chat y ábrelo desde allí, o pide uno nuevo al bot.

## La página después de iniciar sesión

callback-wait = Casi listo: vuelve a WhatsApp
    .text = Salesforce ha dado permiso. El chat te avisará en cuanto tu cuenta esté conectada, normalmente en unos segundos.
    .text-named = Salesforce ha dado permiso. El chat { $number } te avisará en cuanto tu cuenta esté conectada, normalmente en unos segundos.
callback-used = Este inicio de sesión ya se usó
    .text = Un inicio de sesión conecta una sola cuenta, y cuenta lo que decidiste primero. El chat te dice cómo fue y tiene un enlace nuevo para ti si lo necesitas.
callback-ended = No conectada
    .text = Salesforce terminó este inicio de sesión sin compartir tu cuenta. El chat te dice cómo está todo y tiene un enlace nuevo para ti si lo necesitas.
callback-unavailable = Un intento más, por favor
    .text = No hemos podido recibir tu inicio de sesión en este momento. No se ha perdido nada: vuelve a cargar esta página en unos segundos.
callback-expired = Este inicio de sesión tardó demasiado
    .text = Por tu seguridad, un enlace funciona solo un rato. Pide uno nuevo al bot y vuelve a iniciar sesión.
callback-wrong-browser = Termina donde empezaste
    .text = Este inicio de sesión empezó en otro navegador. Abre el enlace desde tu propio chat y pulsa allí el botón. Si alguien te envió este enlace, cierra la página: conectaría tu Salesforce con el chat de esa persona.
callback-nothing-to-do = Aquí no hay nada que hacer
    .text = Si acabas de iniciar sesión en Salesforce, vuelve a WhatsApp: si se te mostró un código, envíalo allí, y el chat te dice cómo fue. Si no, pide un enlace al bot.
callback-unusable = Este inicio de sesión no se puede usar
    .text = No sabemos a qué inicio de sesión responde. Vuelve a WhatsApp: si el chat no dice nada, pide un enlace nuevo al bot y vuelve a iniciar sesión.

## La página después de iniciar sesión, cuando el chat tiene que enviar su código

confirm-title = Un paso más: envía este código por WhatsApp
confirm-allowed = Has permitido el acceso en Salesforce.
confirm-used = Este inicio de sesión ya se usó, y cuenta lo que decidiste primero.
confirm-send = Tu cuenta quedará conectada en cuanto envíes este código desde *el chat que pidió el enlace*.
confirm-send-named = Tu cuenta quedará conectada en cuanto envíes este código desde el chat { $number }.
confirm-open = Abrir WhatsApp con el código
confirm-message = Confirmation code: { $code }
confirm-qr = Código QR que abre WhatsApp con el código
confirm-scan = ¿Tienes WhatsApp en el teléfono? Escanea esto con su cámara.
confirm-minutes = El código funciona durante { $minutes } minutos después de iniciar sesión.
confirm-one-minute = El código funciona durante 1 minuto después de iniciar sesión.
confirm-secret = *No se lo des a nadie más, lo pida quien lo pida.*
confirm-close = ¿Te envió el enlace otra persona? Cierra esta página y no se conectará nada. ¿El chat ya ha respondido? Entonces también puedes cerrarla.

## Lo que la página dice por sí misma cuando se sabe cómo fue

result-connected = Conectada
    .text = Este inicio de sesión ha conectado tu Salesforce con tu chat. Puedes cerrar esta página.
    .text-named = Este inicio de sesión ha conectado tu Salesforce con el chat { $number }. Puedes cerrar esta página.
result-delayed = Está tardando más de lo habitual. No hace falta que esperes aquí: el chat te dirá cómo fue.
result-relink = No conectada
    .text = Este inicio de sesión no ha conectado nada. El chat te dice por qué y tiene un enlace nuevo para ti.
result-contact-admin = No conectada
    .text = Salesforce no deja entrar aquí a tu cuenta. Tu administrador de Salesforce puede cambiarlo; el chat te dice más.
result-wait = Aún no conectada
    .text = No funciona en este momento. El chat te dice cuándo volver a intentarlo, con un enlace para ello.
result-failed = No conectada
    .text = Este inicio de sesión no ha conectado nada. Si era tuyo, el chat te dice cómo está todo.
