# Português do Brasil. Tratamento: você. Fazer login: no Salesforce. Conectar: a conta com a conversa.

### A mensagem na conversa

## Uma conexão

connected = ✅ Sua conta do Salesforce está conectada!
connected-as = Conectada como { $username }.
connected-as-in = Conectada como { $username } ({ $org }).
connected-to = Conectada à organização { $org }.
connected-undo = Não é você? Responda *disconnect*.
org-sandbox-named = { $org }, sandbox { $sandbox }
org-sandbox = { $org }, sandbox
org-developer = { $org }, organização de desenvolvedor
org-scratch = { $org }, organização temporária
org-trailhead = { $org }, Trailhead Playground
org-demo = { $org }, organização de demonstração
org-free = { $org }, organização gratuita
org-patch = { $org }, organização de patches

## Um atraso ou uma falha

delayed = Conectar sua conta do Salesforce está demorando mais do que o normal. Estamos verificando.
    .with-link = Você também pode tentar de novo com este link:
    .without-link = Você também pode pedir aqui um novo link.
failed-superseded = Você fez login de novo depois disso, e o login mais recente é o que vale.
failed-wrong-browser = Nada foi conectado: o login terminou em um navegador diferente daquele que abriu o link.
    .with-link = Abra este link e faça login no mesmo navegador:
    .without-link = Peça aqui um novo link e faça login no mesmo navegador em que o abrir.
failed-wrong-chat = Nenhuma conta do Salesforce foi conectada: alguém fez login com o link desta conversa e enviou o código de outra conversa. Um link só vale para a conversa que o pediu. Se você quer conectar sua conta, peça aqui um novo link e envie o código desta conversa.
failed-unconfirmed = Nada foi conectado: o código que aparece depois do login não foi enviado desta conversa a tempo.
    .with-link = Faça login de novo com este link e depois envie o código aqui:
    .without-link = Peça aqui um novo link, faça login de novo e depois envie o código aqui.
failed-invalid-callback = Nada foi conectado: o Salesforce enviou você de volta sem os dados de que precisamos.
    .with-link = Faça login de novo com este link:
    .without-link = Peça aqui um novo link e faça login de novo.
failed-denied = Sua conta do Salesforce não foi conectada porque o acesso não foi permitido.
    .with-link = Se você quer conectá-la, abra este link e escolha Permitir:
    .without-link = Se você quer conectá-la, peça aqui um novo link e depois escolha Permitir.
failed-expired = Nada foi conectado: o login demorou demais.
    .with-link = Faça login de novo com este link:
    .without-link = Peça aqui um novo link e faça login de novo.
failed-wrong-login-host = Nada foi conectado: o login foi feito em um endereço do Salesforce diferente do endereço do link.
    .with-link = Abra este link e escolha o endereço em que você faz login:
    .without-link = Peça aqui um novo link e faça login no endereço que ele indica.
failed-outdated-link = Esse link é de antes da desconexão da sua conta do Salesforce, por isso não conecta mais nada.
    .with-link = Para conectar uma conta, abra este link:
    .without-link = Para conectar uma conta, peça aqui um novo link.
failed-used-login = Você permitiu o acesso mais de uma vez com o mesmo login, e um login conecta uma única conta.
    .with-link = Se esta conversa diz que sua conta está conectada e você queria a mesma conta todas as vezes, não é preciso fazer nada. Caso contrário, abra este link:
    .without-link = Se esta conversa diz que sua conta está conectada e você queria a mesma conta todas as vezes, não é preciso fazer nada. Caso contrário, peça aqui um novo link.
failed-unknown = Não conseguimos descobrir se o seu login funcionou.
    .with-link = Para ter certeza, faça login de novo com este link:
    .without-link = Para ter certeza, peça aqui um novo link e faça login de novo.
failed-app-blocked = O Salesforce da sua empresa ainda não permite este aplicativo. Peça ao seu administrador do Salesforce que o permita e depois peça aqui um novo link.
failed-user-inactive = Seu usuário do Salesforce não está ativo. Peça ao seu administrador do Salesforce que o ative e depois peça aqui um novo link.
failed-org-inactive = O Salesforce da sua empresa está bloqueado ou encerrado. Fale com o seu administrador do Salesforce e depois peça aqui um novo link.
failed-login-rate = O Salesforce recebeu logins demais seus por enquanto.
    .with-link = Espere uma hora e tente de novo com este link:
    .without-link = Espere uma hora e depois peça aqui um novo link.
failed-misconfigured = Não foi possível conectar sua conta do Salesforce porque algo do nosso lado não está configurado direito. Você não fez nada de errado.
    .with-link = Tente de novo mais tarde com este link:
    .without-link = Tente de novo mais tarde: peça aqui um novo link.
failed-salesforce-unavailable = O Salesforce não está respondendo no momento.
    .with-link = Tente de novo mais tarde com este link:
    .without-link = Tente de novo mais tarde: peça aqui um novo link.

## O fim de uma conexão

ended-replaced = Uma conexão anterior com o Salesforce terminou. A que você fez depois não foi afetada.
ended = Sua conta do Salesforce não está mais conectada.
    .with-link = Se você quer conectá-la de novo, abra este link:
    .without-link = Se você quer conectá-la de novo, peça aqui um novo link.
ended-expired = Sua conta do Salesforce não está mais conectada: o Salesforce encerrou a conexão.
    .with-link = Para conectá-la de novo, faça login com este link:
    .without-link = Para conectá-la de novo, peça aqui um novo link.
ended-user-inactive = Sua conta do Salesforce não está mais conectada porque seu usuário do Salesforce não está ativo. Peça ao seu administrador do Salesforce que o ative e depois peça aqui um novo link.
ended-org-inactive = Sua conta do Salesforce não está mais conectada porque o Salesforce da sua empresa está bloqueado ou encerrado. Fale com o seu administrador do Salesforce e depois peça aqui um novo link.
ended-app-blocked = Sua conta do Salesforce não está mais conectada porque o Salesforce da sua empresa não permite mais este aplicativo. Fale com o seu administrador do Salesforce e depois peça aqui um novo link.

## A resposta à conversa que enviou um código

code-confirmed = Obrigado, o código está certo. Você receberá uma mensagem aqui quando sua conta do Salesforce estiver conectada.
code-unknown = Não conhecemos esse código. Compare com o código da página que você viu depois do login e envie de novo. Se a página não está mais aberta, ou se outra pessoa passou o link para você, peça aqui um novo link e faça login de novo.
code-too-late = Esse código não é mais válido, e nada foi conectado com ele. Para conectar sua conta do Salesforce, peça aqui um novo link, faça login de novo e envie o novo código dentro do tempo que a página indica.
code-wrong-chat = Nada foi conectado: esse código é de um login com o link de outra conversa. O acesso ao Salesforce que foi permitido com ele foi retirado. Se alguém passou esse link para você: não use links que outras pessoas pediram. Para conectar esta conversa, peça aqui o seu próprio link.
code-confirmed-elsewhere = Cuidado: esse código é de um login com o link de outra conversa, e essa conversa enviou o código antes de você. A conta do Salesforce está conectada lá, e não aqui. Se a conta é sua e a outra conversa não é, peça agora mesmo ao seu administrador do Salesforce que revogue o acesso deste aplicativo. Não use links que outras pessoas pediram e não passe nenhum código a ninguém.
code-too-many-guesses = Códigos errados demais. Espere dez minutos, peça aqui um novo link, faça login de novo e envie o código que a página mostra.

### As páginas

## Em todas as páginas

page-back = Voltar ao WhatsApp
page-privacy = Política de privacidade
page-number = número terminado em { $digits }

## A página de um link

link-title = Conectar o Salesforce
link-preview = Conecte sua conta do Salesforce à sua conversa no WhatsApp. O link é para a conversa que o pediu.
link-chat = Seu Salesforce será conectado a esta conversa do WhatsApp:
link-unnamed-chat = Seu Salesforce será conectado *à conversa do WhatsApp que pediu este link*.
link-host = Você fará login em { $host }.
link-own-chat = *Continue somente se esta é a sua própria conversa e você pediu este link nela.*
link-continue = Continuar para o Salesforce
link-choose-host = Escolha o endereço em que você faz login no Salesforce e faça login nele:
link-foreign = Não é a sua conversa ou outra pessoa enviou este link para você? Feche esta página: nada foi conectado ainda.

## Por que um link não abre ou seu botão não funciona

link-expired = Este link expirou
    .text = Os links funcionam só por pouco tempo, para proteger seu Salesforce. Volte à conversa e peça um novo ao bot.
link-worn-out = Este link foi aberto vezes demais
    .text = Para proteger seu Salesforce, um link inicia só um número limitado de logins. Volte à conversa e peça um novo ao bot.
link-cross-site = Confirme mais uma vez
    .text = Outro site tentou continuar no seu lugar. Nada foi conectado. Confira primeiro qual é a conversa:
    .button = Mostrar a conversa
link-unavailable = Não funcionou agora
    .text = Nada se perdeu: seu link ainda funciona. Tente de novo daqui a pouco.
    .button = Tentar de novo
link-useless = Este link não funciona
    .text = Ele pode ter sido cortado no caminho. Volte à conversa e abra-o por lá, ou peça um novo ao bot.

## A página depois do login

callback-wait = Quase pronto: volte ao WhatsApp
    .text = O Salesforce autorizou. A conversa avisa assim que sua conta estiver conectada, quase sempre em segundos.
    .text-named = O Salesforce autorizou. A conversa { $number } avisa assim que sua conta estiver conectada, quase sempre em segundos.
callback-used = Este login já foi usado
    .text = Um login conecta uma única conta, e vale o que você decidiu primeiro. A conversa diz como foi e tem um novo link para você, se for preciso.
callback-ended = Não conectada
    .text = O Salesforce encerrou este login sem compartilhar sua conta. A conversa diz como está a situação e tem um novo link para você, se for preciso.
callback-unavailable = Mais uma tentativa, por favor
    .text = Não conseguimos receber seu login agora. Nada se perdeu: recarregue esta página em alguns segundos.
callback-expired = Este login demorou demais
    .text = Para sua segurança, um link funciona só por pouco tempo. Peça um novo ao bot e faça login de novo.
callback-wrong-browser = Termine onde você começou
    .text = Este login começou em outro navegador. Abra o link na sua própria conversa e toque no botão ali. Se alguém enviou este link para você, feche a página: ele conectaria seu Salesforce à conversa dessa pessoa.
callback-nothing-to-do = Não há nada a fazer aqui
    .text = Se você acabou de fazer login no Salesforce, volte ao WhatsApp: se um código apareceu, envie-o lá, e a conversa diz como foi. Caso contrário, peça um link ao bot.
callback-unusable = Este login não pode ser usado
    .text = Não sabemos a qual login isto responde. Volte ao WhatsApp: se a conversa não disser nada, peça um novo link ao bot e faça login de novo.

## A página depois do login, quando a conversa precisa enviar o código

confirm-title = Mais um passo: envie este código no WhatsApp
confirm-allowed = Você permitiu o acesso no Salesforce.
confirm-used = Este login já foi usado, e vale o que você decidiu primeiro.
confirm-send = Sua conta será conectada assim que você enviar este código *da conversa que pediu o link*.
confirm-send-named = Sua conta será conectada assim que você enviar este código da conversa { $number }.
confirm-open = Abrir o WhatsApp com o código
confirm-message = Confirmation code: { $code }
confirm-qr = Código QR que abre o WhatsApp com o código
confirm-scan = O WhatsApp está no seu celular? Leia isto com a câmera dele.
confirm-minutes = O código funciona por { $minutes } minutos depois do login.
confirm-one-minute = O código funciona por 1 minuto depois do login.
confirm-secret = *Não passe o código a mais ninguém, não importa quem peça.*
confirm-close = Outra pessoa enviou o link para você? Feche esta página, e nada será conectado. A conversa já respondeu? Então você também pode fechá-la.

## O que a página diz por si mesma quando se sabe como foi

result-connected = Conectada
    .text = Este login conectou seu Salesforce à sua conversa. Você pode fechar esta página.
    .text-named = Este login conectou seu Salesforce à conversa { $number }. Você pode fechar esta página.
result-delayed = Está demorando mais do que o normal. Você não precisa esperar aqui: a conversa diz como foi.
result-relink = Não conectada
    .text = Este login não conectou nada. A conversa diz o motivo e tem um novo link para você.
result-contact-admin = Não conectada
    .text = O Salesforce não deixa sua conta entrar aqui. Seu administrador do Salesforce pode mudar isso; a conversa diz mais.
result-wait = Ainda não conectada
    .text = Não está funcionando agora. A conversa diz quando tentar de novo, com um link para isso.
result-failed = Não conectada
    .text = Este login não conectou nada. Se era seu, a conversa diz como está a situação.
