"""What messages say unless the agent gives a text: one catalogue, by language and kind, subject and text."""

from __future__ import annotations

TEXTS: dict[str, dict[str, tuple[str, str]]] = {
    "en": {
        "invitation": (
            "Your interview: {interview}",
            "Hello {name},\n\nyou are invited to an interview: {interview}.\n\nThis is your private link, please do not pass it on:\n{link}\n\nThank you for your interest.",
        ),
        "reminder": (
            "A reminder: {interview}",
            "Hello {name},\n\nyour interview has not begun yet: {interview}.\n\nThis is your private link:\n{link}\n\nIf you have begun meanwhile, nothing more is needed.",
        ),
        "thanks": (
            "Thank you: {interview}",
            "Hello {name},\n\nthank you for your interview: {interview}. Your answers have arrived. We will be in touch.",
        ),
        "rejection": (
            "Your application: {interview}",
            "Hello {name},\n\nthank you for your time and your answers ({interview}). We have decided not to go on with your application. We wish you all the best.",
        ),
    },
    "de": {
        "invitation": (
            "Ihr Interview: {interview}",
            "Guten Tag {name},\n\nwir laden Sie zu einem Interview ein: {interview}.\n\nDas ist Ihr persönlicher Link, bitte geben Sie ihn nicht weiter:\n{link}\n\nVielen Dank für Ihr Interesse.",
        ),
        "reminder": (
            "Zur Erinnerung: {interview}",
            "Guten Tag {name},\n\nIhr Interview hat noch nicht begonnen: {interview}.\n\nDas ist Ihr persönlicher Link:\n{link}\n\nFalls Sie inzwischen begonnen haben, ist nichts weiter nötig.",
        ),
        "thanks": (
            "Vielen Dank: {interview}",
            "Guten Tag {name},\n\nvielen Dank für Ihr Interview: {interview}. Ihre Antworten sind angekommen. Wir melden uns bei Ihnen.",
        ),
        "rejection": (
            "Ihre Bewerbung: {interview}",
            "Guten Tag {name},\n\nvielen Dank für Ihre Zeit und Ihre Antworten ({interview}). Wir haben uns entschieden, Ihre Bewerbung nicht weiterzuverfolgen. Wir wünschen Ihnen alles Gute.",
        ),
    },
    "es": {
        "invitation": (
            "Su entrevista: {interview}",
            "Hola, {name}:\n\nLe invitamos a una entrevista: {interview}.\n\nEste es su enlace personal; por favor, no lo comparta:\n{link}\n\nGracias por su interés.",
        ),
        "reminder": (
            "Recordatorio: {interview}",
            "Hola, {name}:\n\nSu entrevista aún no ha comenzado: {interview}.\n\nEste es su enlace personal:\n{link}\n\nSi ya ha comenzado, no tiene que hacer nada más.",
        ),
        "thanks": (
            "Gracias: {interview}",
            "Hola, {name}:\n\nGracias por su entrevista: {interview}. Hemos recibido sus respuestas. Nos pondremos en contacto.",
        ),
        "rejection": (
            "Su candidatura: {interview}",
            "Hola, {name}:\n\nGracias por su tiempo y sus respuestas ({interview}). Hemos decidido no continuar con su candidatura. Le deseamos lo mejor.",
        ),
    },
    "fr": {
        "invitation": (
            "Votre entretien : {interview}",
            "Bonjour {name},\n\nvous êtes invité(e) à un entretien : {interview}.\n\nVoici votre lien personnel, merci de ne pas le transmettre :\n{link}\n\nMerci de votre intérêt.",
        ),
        "reminder": (
            "Rappel : {interview}",
            "Bonjour {name},\n\nvotre entretien n'a pas encore commencé : {interview}.\n\nVoici votre lien personnel :\n{link}\n\nSi vous avez commencé entre-temps, vous n'avez rien à faire.",
        ),
        "thanks": (
            "Merci : {interview}",
            "Bonjour {name},\n\nmerci pour votre entretien : {interview}. Vos réponses nous sont parvenues. Nous vous recontacterons.",
        ),
        "rejection": (
            "Votre candidature : {interview}",
            "Bonjour {name},\n\nmerci de votre temps et de vos réponses ({interview}). Nous avons décidé de ne pas donner suite à votre candidature. Nous vous souhaitons bonne continuation.",
        ),
    },
    "zh": {
        "invitation": (
            "面试邀请：{interview}",
            "{name}，您好：\n\n诚邀您参加面试：{interview}。\n\n这是您的专属链接，请勿转发：\n{link}\n\n感谢您的关注。",
        ),
        "reminder": (
            "面试提醒：{interview}",
            "{name}，您好：\n\n您的面试尚未开始：{interview}。\n\n这是您的专属链接：\n{link}\n\n如果您已经开始，请忽略此邮件。",
        ),
        "thanks": (
            "感谢参加面试：{interview}",
            "{name}，您好：\n\n感谢您参加面试：{interview}。我们已收到您的回答，会与您联系。",
        ),
        "rejection": (
            "关于您的申请：{interview}",
            "{name}，您好：\n\n感谢您付出的时间和回答（{interview}）。我们决定不再推进您的申请。祝您一切顺利。",
        ),
    },
    "pt": {
        "invitation": (
            "A sua entrevista: {interview}",
            "Olá, {name},\n\nconvidamos você para uma entrevista: {interview}.\n\nEste é o seu link pessoal; por favor, não o compartilhe:\n{link}\n\nObrigado pelo seu interesse.",
        ),
        "reminder": (
            "Lembrete: {interview}",
            "Olá, {name},\n\na sua entrevista ainda não começou: {interview}.\n\nEste é o seu link pessoal:\n{link}\n\nSe você já começou, não precisa fazer mais nada.",
        ),
        "thanks": (
            "Obrigado: {interview}",
            "Olá, {name},\n\nobrigado pela sua entrevista: {interview}. Recebemos as suas respostas. Entraremos em contato.",
        ),
        "rejection": (
            "A sua candidatura: {interview}",
            "Olá, {name},\n\nobrigado pelo seu tempo e pelas suas respostas ({interview}). Decidimos não dar continuidade à sua candidatura. Desejamos a você tudo de bom.",
        ),
    },
    "ja": {
        "invitation": (
            "面接のご案内：{interview}",
            "{name} 様\n\n面接「{interview}」にご招待いたします。\n\nこちらは {name} 様専用のリンクです。他の方に転送しないようお願いいたします。\n{link}\n\nご関心をお寄せいただきありがとうございます。",
        ),
        "reminder": (
            "面接のリマインダー：{interview}",
            "{name} 様\n\n面接「{interview}」がまだ開始されていません。\n\n専用のリンクはこちらです。\n{link}\n\nすでに開始されている場合は、何もしていただく必要はありません。",
        ),
        "thanks": (
            "面接のお礼：{interview}",
            "{name} 様\n\n面接「{interview}」にご参加いただきありがとうございました。ご回答を受け取りました。追ってご連絡いたします。",
        ),
        "rejection": (
            "選考について：{interview}",
            "{name} 様\n\nお時間とご回答をいただきありがとうございました（{interview}）。慎重に検討した結果、今回は選考を進めないことといたしました。今後のご活躍をお祈りいたします。",
        ),
    },
    "ar": {
        "invitation": (
            "مقابلتك: {interview}",
            "مرحبًا {name}،\n\nندعوك إلى مقابلة: {interview}.\n\nهذا رابطك الشخصي، يُرجى عدم مشاركته:\n{link}\n\nشكرًا لاهتمامك.",
        ),
        "reminder": (
            "تذكير: {interview}",
            "مرحبًا {name}،\n\nلم تبدأ مقابلتك بعد: {interview}.\n\nهذا رابطك الشخصي:\n{link}\n\nإذا كنت قد بدأت بالفعل فلا يلزم فعل أي شيء آخر.",
        ),
        "thanks": (
            "شكرًا لك: {interview}",
            "مرحبًا {name}،\n\nشكرًا على مقابلتك: {interview}. وصلتنا إجاباتك وسنتواصل معك.",
        ),
        "rejection": (
            "طلبك: {interview}",
            "مرحبًا {name}،\n\nشكرًا على وقتك وإجاباتك ({interview}). قررنا عدم المضي قدمًا في طلبك. نتمنى لك كل التوفيق.",
        ),
    },
}
RIGHT_TO_LEFT = ("ar", "he", "fa", "ur")
