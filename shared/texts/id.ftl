# Bahasa Indonesia. Sapaan: Anda. Login: di Salesforce. Menghubungkan: akun dengan chat.

### Pesan di chat

## Koneksi

connected = ✅ Akun Salesforce Anda sekarang terhubung!
connected-as = Terhubung sebagai { $username }.
connected-as-in = Terhubung sebagai { $username } ({ $org }).
connected-to = Terhubung ke organisasi { $org }.
connected-undo = Bukan Anda? Balas *disconnect*.
org-sandbox-named = { $org }, sandbox { $sandbox }
org-sandbox = { $org }, sandbox
org-developer = { $org }, organisasi developer
org-scratch = { $org }, organisasi sementara
org-trailhead = { $org }, Trailhead Playground
org-demo = { $org }, organisasi demo
org-free = { $org }, organisasi gratis
org-patch = { $org }, organisasi patch

## Keterlambatan atau kegagalan

delayed = Menghubungkan akun Salesforce Anda memerlukan waktu lebih lama dari biasanya. Kami sedang memeriksanya.
    .with-link = Anda juga bisa mencoba lagi dengan tautan ini:
    .without-link = Anda juga bisa meminta tautan baru di sini.
failed-superseded = Anda sudah login lagi setelah itu, dan login yang terakhir yang berlaku.
failed-wrong-browser = Akun Salesforce Anda belum terhubung: login berakhir di browser yang berbeda dari browser yang membuka tautan.
    .with-link = Silakan buka tautan ini dan login di browser yang sama:
    .without-link = Silakan minta tautan baru di sini, dan login di browser yang membukanya.
failed-wrong-chat = Tidak ada akun Salesforce yang dihubungkan: seseorang login dengan tautan chat ini dan mengirim kodenya dari chat lain. Tautan hanya untuk chat yang memintanya. Jika Anda ingin menghubungkan akun Anda, minta tautan baru di sini, dan kirim kodenya dari chat ini.
failed-unconfirmed = Akun Salesforce Anda belum terhubung: kode yang ditampilkan setelah login tidak dikirim dari chat ini tepat waktu.
    .with-link = Silakan login lagi dengan tautan ini, lalu kirim kodenya di sini:
    .without-link = Silakan minta tautan baru di sini, login lagi, lalu kirim kodenya di sini.
failed-invalid-callback = Akun Salesforce Anda belum terhubung: Salesforce mengembalikan Anda tanpa data yang kami perlukan.
    .with-link = Silakan login lagi dengan tautan ini:
    .without-link = Silakan minta tautan baru di sini, dan login lagi.
failed-denied = Akun Salesforce Anda tidak dihubungkan karena akses tidak diizinkan.
    .with-link = Jika Anda ingin menghubungkannya, buka tautan ini dan pilih Izinkan (Allow):
    .without-link = Jika Anda ingin menghubungkannya, minta tautan baru di sini, lalu pilih Izinkan (Allow).
failed-expired = Akun Salesforce Anda belum terhubung: login memakan waktu terlalu lama.
    .with-link = Silakan login lagi dengan tautan ini:
    .without-link = Silakan minta tautan baru di sini, dan login lagi.
failed-wrong-login-host = Akun Salesforce Anda belum terhubung: login dilakukan di alamat Salesforce yang berbeda dari alamat pada tautan.
    .with-link = Silakan buka tautan ini, dan pilih alamat tempat Anda login:
    .without-link = Silakan minta tautan baru di sini, dan login di alamat yang disebutkan.
failed-outdated-link = Tautan itu berasal dari sebelum akun Salesforce Anda diputuskan, jadi tidak lagi menghubungkan apa pun.
    .with-link = Untuk menghubungkan akun, silakan buka tautan ini:
    .without-link = Untuk menghubungkan akun, silakan minta tautan baru di sini.
failed-used-login = Anda mengizinkan akses lebih dari sekali dengan satu login, dan satu login menghubungkan satu akun.
    .with-link = Jika chat ini menyatakan bahwa akun Anda terhubung, dan maksud Anda akun yang sama setiap kali, Anda tidak perlu melakukan apa pun. Jika tidak, silakan buka tautan ini:
    .without-link = Jika chat ini menyatakan bahwa akun Anda terhubung, dan maksud Anda akun yang sama setiap kali, Anda tidak perlu melakukan apa pun. Jika tidak, silakan minta tautan baru di sini.
failed-unknown = Kami tidak dapat memastikan apakah login Anda berhasil.
    .with-link = Untuk memastikan, silakan login lagi dengan tautan ini:
    .without-link = Untuk memastikan, silakan minta tautan baru di sini, dan login lagi.
failed-app-blocked = Salesforce perusahaan Anda belum mengizinkan aplikasi ini. Silakan minta administrator Salesforce Anda untuk mengizinkannya, lalu minta tautan baru di sini.
failed-user-inactive = Pengguna Salesforce Anda tidak aktif. Silakan minta administrator Salesforce Anda untuk mengaktifkannya, lalu minta tautan baru di sini.
failed-org-inactive = Salesforce perusahaan Anda dikunci atau ditutup. Silakan tanyakan kepada administrator Salesforce Anda, lalu minta tautan baru di sini.
failed-login-rate = Untuk saat ini Salesforce sudah menerima terlalu banyak login Anda.
    .with-link = Silakan tunggu satu jam, lalu coba lagi dengan tautan ini:
    .without-link = Silakan tunggu satu jam, lalu minta tautan baru di sini.
failed-misconfigured = Akun Salesforce Anda tidak dapat dihubungkan karena ada yang belum diatur dengan benar di pihak kami. Anda tidak melakukan kesalahan.
    .with-link = Silakan coba lagi nanti dengan tautan ini:
    .without-link = Silakan coba lagi nanti: minta tautan baru di sini.
failed-salesforce-unavailable = Salesforce sedang tidak merespons.
    .with-link = Silakan coba lagi nanti dengan tautan ini:
    .without-link = Silakan coba lagi nanti: minta tautan baru di sini.

## Akhir sebuah koneksi

ended-replaced = Koneksi sebelumnya ke Salesforce telah berakhir. Koneksi yang Anda buat setelahnya tidak terpengaruh.
ended = Akun Salesforce Anda tidak lagi terhubung.
    .with-link = Jika Anda ingin menghubungkannya lagi, buka tautan ini:
    .without-link = Jika Anda ingin menghubungkannya lagi, minta tautan baru di sini.
ended-expired = Akun Salesforce Anda tidak lagi terhubung: Salesforce telah mengakhiri koneksi.
    .with-link = Untuk menghubungkannya lagi, silakan login dengan tautan ini:
    .without-link = Untuk menghubungkannya lagi, silakan minta tautan baru di sini.
ended-user-inactive = Akun Salesforce Anda tidak lagi terhubung karena pengguna Salesforce Anda tidak aktif. Silakan minta administrator Salesforce Anda untuk mengaktifkannya, lalu minta tautan baru di sini.
ended-org-inactive = Akun Salesforce Anda tidak lagi terhubung karena Salesforce perusahaan Anda dikunci atau ditutup. Silakan tanyakan kepada administrator Salesforce Anda, lalu minta tautan baru di sini.
ended-app-blocked = Akun Salesforce Anda tidak lagi terhubung karena Salesforce perusahaan Anda tidak lagi mengizinkan aplikasi ini. Silakan tanyakan kepada administrator Salesforce Anda, lalu minta tautan baru di sini.

## Jawaban kepada chat yang mengirim kode

code-confirmed = Terima kasih, kodenya benar. Anda akan menerima pesan di sini ketika akun Salesforce Anda terhubung.
code-unknown = Kami tidak mengenal kode itu. Silakan bandingkan dengan kode di halaman yang Anda lihat setelah login, lalu kirim lagi. Jika halamannya sudah tidak ada, minta tautan baru di sini, dan login lagi.
code-too-late = Kode itu tidak berlaku lagi, dan tidak ada yang dihubungkan dengannya. Untuk menghubungkan akun Salesforce Anda, silakan minta tautan baru di sini, login lagi, dan kirim kode yang baru dalam waktu yang tertera di halaman.
code-wrong-chat = Tidak ada yang dihubungkan: kode itu milik login dengan tautan chat lain. Akses ke Salesforce yang diizinkan dengannya telah ditarik kembali. Jika seseorang memberi Anda tautan itu: mohon jangan gunakan tautan yang diminta orang lain. Untuk menghubungkan chat ini, minta tautan Anda sendiri di sini.
code-confirmed-elsewhere = Hati-hati: kode itu milik login dengan tautan chat lain, dan chat itu sudah mengirim kodenya sebelum Anda. Akun Salesforce terhubung di sana, bukan di sini. Jika akun itu milik Anda dan chat yang lain bukan, silakan segera minta administrator Salesforce Anda untuk mencabut akses aplikasi ini. Jangan gunakan tautan yang diminta orang lain, dan jangan berikan kode kepada siapa pun.
code-too-many-guesses = Terlalu banyak kode yang salah. Silakan tunggu sepuluh menit, lalu minta tautan baru di sini, login lagi, dan kirim kode yang ditampilkan di halaman.
