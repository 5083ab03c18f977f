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
failed-wrong-browser = Tidak ada yang dihubungkan: login berakhir di browser yang berbeda dari browser yang membuka tautan.
    .with-link = Silakan buka tautan ini dan login di browser yang sama:
    .without-link = Silakan minta tautan baru di sini, dan login di browser yang membukanya.
failed-wrong-chat = Tidak ada akun Salesforce yang dihubungkan: seseorang login dengan tautan chat ini dan mengirim kodenya dari chat lain. Tautan hanya untuk chat yang memintanya. Jika Anda ingin menghubungkan akun Anda, minta tautan baru di sini, dan kirim kodenya dari chat ini.
failed-unconfirmed = Tidak ada yang dihubungkan: kode yang ditampilkan setelah login tidak dikirim dari chat ini tepat waktu.
    .with-link = Silakan login lagi dengan tautan ini, lalu kirim kodenya di sini:
    .without-link = Silakan minta tautan baru di sini, login lagi, lalu kirim kodenya di sini.
failed-invalid-callback = Tidak ada yang dihubungkan: Salesforce mengembalikan Anda tanpa data yang kami perlukan.
    .with-link = Silakan login lagi dengan tautan ini:
    .without-link = Silakan minta tautan baru di sini, dan login lagi.
failed-denied = Akun Salesforce Anda tidak dihubungkan karena akses tidak diizinkan.
    .with-link = Jika Anda ingin menghubungkannya, buka tautan ini dan pilih Izinkan (Allow):
    .without-link = Jika Anda ingin menghubungkannya, minta tautan baru di sini, lalu pilih Izinkan (Allow).
failed-expired = Tidak ada yang dihubungkan: login memakan waktu terlalu lama.
    .with-link = Silakan login lagi dengan tautan ini:
    .without-link = Silakan minta tautan baru di sini, dan login lagi.
failed-wrong-login-host = Tidak ada yang dihubungkan: login dilakukan di alamat Salesforce yang berbeda dari alamat pada tautan.
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
code-unknown = Kami tidak mengenal kode itu. Silakan bandingkan dengan kode di halaman yang Anda lihat setelah login, lalu kirim lagi. Jika halamannya sudah tidak ada, atau jika orang lain yang memberi Anda tautan itu, minta tautan baru di sini, dan login lagi.
code-too-late = Kode itu tidak berlaku lagi, dan tidak ada yang dihubungkan dengannya. Untuk menghubungkan akun Salesforce Anda, silakan minta tautan baru di sini, login lagi, dan kirim kode yang baru dalam waktu yang tertera di halaman.
code-wrong-chat = Tidak ada yang dihubungkan: kode itu milik login dengan tautan chat lain. Akses ke Salesforce yang diizinkan dengannya telah ditarik kembali. Jika seseorang memberi Anda tautan itu: mohon jangan gunakan tautan yang diminta orang lain. Untuk menghubungkan chat ini, minta tautan Anda sendiri di sini.
code-confirmed-elsewhere = Hati-hati: kode itu milik login dengan tautan chat lain, dan chat itu sudah mengirim kodenya sebelum Anda. Akun Salesforce terhubung di sana, bukan di sini. Jika akun itu milik Anda dan chat yang lain bukan, silakan segera minta administrator Salesforce Anda untuk mencabut akses aplikasi ini. Jangan gunakan tautan yang diminta orang lain, dan jangan berikan kode kepada siapa pun.
code-too-many-guesses = Terlalu banyak kode yang salah. Silakan tunggu sepuluh menit, lalu minta tautan baru di sini, login lagi, dan kirim kode yang ditampilkan di halaman.

### Halaman

## Di setiap halaman

page-back = Kembali ke WhatsApp
page-privacy = Kebijakan privasi
page-number = nomor yang berakhiran { $digits }

## Halaman sebuah tautan

link-title = Hubungkan Salesforce
link-preview = Hubungkan akun Salesforce Anda dengan chat WhatsApp Anda. Tautan ini untuk chat yang memintanya.
link-chat = Salesforce Anda akan dihubungkan dengan chat WhatsApp ini:
link-unnamed-chat = Salesforce Anda akan dihubungkan dengan *chat WhatsApp yang meminta tautan ini*.
link-host = Anda akan login di { $host }.
link-own-chat = *Lanjutkan hanya jika ini chat Anda sendiri dan Anda meminta tautan ini di sana.*
link-continue = Lanjutkan ke Salesforce
link-choose-host = Pilih alamat tempat Anda login ke Salesforce, dan login di sana:
link-foreign = Bukan chat Anda, atau orang lain yang mengirim tautan ini? Tutup halaman ini: belum ada yang dihubungkan.

## Mengapa tautan tidak terbuka, atau tombolnya tidak berfungsi

link-expired = Tautan ini sudah kedaluwarsa
    .text = Demi keamanan Salesforce Anda, tautan hanya berlaku sebentar. Kembali ke chat dan minta tautan baru kepada bot.
link-worn-out = Tautan ini terlalu sering dibuka
    .text = Demi keamanan Salesforce Anda, satu tautan hanya memulai login dalam jumlah terbatas. Kembali ke chat dan minta tautan baru kepada bot.
link-cross-site = Silakan konfirmasi sekali lagi
    .text = Situs web lain mencoba melanjutkan atas nama Anda. Tidak ada yang dihubungkan. Periksa dahulu chat mana yang dimaksud:
    .button = Tampilkan chat
link-unavailable = Saat ini belum berhasil
    .text = Tidak ada yang hilang: tautan Anda masih berfungsi. Coba lagi sebentar lagi.
    .button = Coba lagi
link-useless = Tautan ini tidak berfungsi
    .text = Mungkin sebagian terpotong di jalan. Kembali ke chat dan buka dari sana, atau minta tautan baru kepada bot.

## Halaman setelah login

callback-wait = Hampir selesai: kembali ke WhatsApp
    .text = Salesforce sudah mengizinkan. Chat akan memberi tahu begitu akun Anda terhubung, biasanya dalam hitungan detik.
    .text-named = Salesforce sudah mengizinkan. Chat { $number } akan memberi tahu begitu akun Anda terhubung, biasanya dalam hitungan detik.
callback-used = Login ini sudah digunakan
    .text = Satu login menghubungkan satu akun, dan keputusan pertama Anda yang berlaku. Chat memberi tahu hasilnya, dan punya tautan baru untuk Anda jika diperlukan.
callback-ended = Tidak terhubung
    .text = Salesforce mengakhiri login ini tanpa membagikan akun Anda. Chat memberi tahu keadaannya, dan punya tautan baru untuk Anda jika diperlukan.
callback-unavailable = Silakan coba sekali lagi
    .text = Kami belum dapat menerima login Anda saat ini. Tidak ada yang hilang: muat ulang halaman ini dalam beberapa detik.
callback-expired = Login ini memakan waktu terlalu lama
    .text = Demi keamanan Anda, tautan hanya berlaku sebentar. Minta tautan baru kepada bot dan login lagi.
callback-wrong-browser = Silakan selesaikan di tempat Anda memulai
    .text = Login ini dimulai di browser lain. Buka tautan dari chat Anda sendiri dan tekan tombolnya di sana. Jika seseorang mengirimi Anda tautan ini, tutup halaman ini: Salesforce Anda akan dihubungkan dengan chat orang itu.
callback-nothing-to-do = Tidak ada yang perlu dilakukan di sini
    .text = Jika Anda baru saja login di Salesforce, kembali ke WhatsApp: jika Anda melihat kode, kirimkan di sana, dan chat memberi tahu hasilnya. Jika tidak, minta tautan kepada bot.
callback-unusable = Login ini tidak dapat digunakan
    .text = Kami tidak tahu ini jawaban untuk login yang mana. Kembali ke WhatsApp: jika chat tidak mengatakan apa pun, minta tautan baru kepada bot dan login lagi.

## Halaman setelah login, ketika chat harus mengirim kodenya

confirm-title = Satu langkah lagi: kirim kode ini di WhatsApp
confirm-allowed = Anda sudah mengizinkan akses di Salesforce.
confirm-used = Login ini sudah digunakan, dan keputusan pertama Anda yang berlaku.
confirm-send = Akun Anda terhubung begitu Anda mengirim kode ini dari *chat yang meminta tautannya*.
confirm-send-named = Akun Anda terhubung begitu Anda mengirim kode ini dari chat { $number }.
confirm-open = Buka WhatsApp dengan kode ini
confirm-message = Confirmation code: { $code }
confirm-qr = Kode QR yang membuka WhatsApp dengan kode ini
confirm-scan = WhatsApp ada di ponsel Anda? Pindai ini dengan kameranya.
confirm-minutes = Kode berlaku selama { $minutes } menit setelah login Anda.
confirm-one-minute = Kode berlaku selama 1 menit setelah login Anda.
confirm-secret = *Jangan berikan kepada orang lain, siapa pun yang memintanya.*
confirm-close = Orang lain yang mengirim tautannya? Tutup halaman ini, dan tidak ada yang dihubungkan. Chat sudah menjawab? Anda juga bisa menutupnya.

## Yang dikatakan halaman dengan sendirinya setelah hasilnya diketahui

result-connected = Terhubung
    .text = Login ini telah menghubungkan Salesforce Anda dengan chat Anda. Anda bisa menutup halaman ini.
    .text-named = Login ini telah menghubungkan Salesforce Anda dengan chat { $number }. Anda bisa menutup halaman ini.
result-delayed = Ini memerlukan waktu lebih lama dari biasanya. Anda tidak perlu menunggu di sini: chat memberi tahu hasilnya.
result-relink = Tidak terhubung
    .text = Login ini tidak menghubungkan apa pun. Chat memberi tahu alasannya, dan punya tautan baru untuk Anda.
result-contact-admin = Tidak terhubung
    .text = Salesforce tidak mengizinkan akun Anda di sini. Administrator Salesforce Anda dapat mengubahnya; chat memberi tahu lebih banyak.
result-wait = Belum terhubung
    .text = Saat ini belum berfungsi. Chat memberi tahu kapan Anda bisa mencoba lagi, beserta tautannya.
result-failed = Tidak terhubung
    .text = Login ini tidak menghubungkan apa pun. Jika itu login Anda, chat memberi tahu keadaannya.
