"""The words that lists use: headings by their parts, what an empty cell says, ends of lists, months.

Twelve languages (English, Chinese, German, French, Spanish, Portuguese, Italian, Dutch, Polish, Russian, Japanese,
Korean) and the exports of the big systems. Nothing rests on a word being here: what no word settles is judged by what
stands in the column, or asked. Words are without accents; `*` stands for any ending.
"""

from __future__ import annotations

FIELDS = {
    "first": """
        first name, firstname, givenname, forenames, given name*, forename, first, fname, christian name
        vorname*, prenom*, primer nombre, nombre de pila, primeiro nome, voornaam, imie, imiona, first names
        given
        имя
        名, ファーストネーム, メイ
    """,
    "middle": """
        middle name, middle initial, middle names, patronymic, second name, middle, additional name
        tussenvoegsel, weitere vornamen, drugie imie, segundo nombre, deuxieme prenom
        отчество
    """,
    "last": """
        last name, surname*, family name, familyname, lastname, last names, last, lname, nachname*
        familienname, zuname, nom de famille, apellido*, apellido paterno, apellido materno, primer apellido
        segundo apellido, sobrenome, apelido, ultimo nome, cognome, achternaam, familienaam, nazwisko
        name suffix
        фамилия
        姓, 姓氏, セイ
        성
    """,
    "name": """
        name, full name, fullname, display name, vollstandiger name, nom, nom complet, nom prenom
        nom et prenom, prenom nom, prenom et nom, nombre, nombre completo, nombre y apellido*, nome
        nome completo, nome e cognome, nome e sobrenome, nominativo, naam, volledige naam, imie i nazwisko
        nazwisko i imie, vor und nachname, vorname und nachname, vorname nachname, nachname vorname
        first and last name, name and surname, first name last name
        фио, полное имя, имя и фамилия, фамилия и имя, фамилия имя, фамилия имя отчество
        姓名, 名字, 氏名, 名前, お名前, 候補者名, 応募者名
        이름, 성명, 지원자명
    """,
    "email": """
        email*, mail, mails, electronic mail, emailid, mailadresse, courriel*, mel, adresse electronique
        correo*, correo electronico*, direccion de correo, correio eletronico, correio electronico
        posta elettronica, indirizzo email, poczta, eメール
        эл почта, почта, электронная почта, электронной почты, адрес электронной почты, имейл
        邮箱*, 电子邮箱*, 电子邮件*, 邮件, 电邮, メール*, メールアドレス, 電子メール
        이메일*, 메일, 전자우편, 메일주소
    """,
    "phone": """
        phone*, mobile*, telephone*, tel, cell, cellphone*, contact number, contact no, whatsapp*, telefon*
        handy*, rufnummer, mobil, mobiltelefon, mobilnummer, portable, gsm, numero de telephone, tel portable
        telefono*, movil*, celular*, telefone*, telemovel*, cellulare*, recapito telefonico, telefoonnummer
        telefoon*, mobiel*, numer telefonu, komorka, komorkowy
        телефон*, мобильный, номер телефона, сотовый
        电话*, 手机*, 联系电话, 联系方式, 電話*, 電話番号, 携帯*, 携帯電話
        전화*, 전화번호, 휴대폰*, 휴대전화*, 연락처, 핸드폰*
    """,
    "notes": """
        notes, note, comment, comments, remark, remarks, bemerkung*, notiz*, anmerkung*, kommentar*
        commentaire*, remarque*, notas, nota, comentario*, observacion*, observac*, observaciones
        osservazioni, commenti, commento, opmerking*, notities, uwagi, komentarz*, notatki, furigana
        other first name, other last name, other name*, former name*, maiden name, previous name*, alias
        geburtsname, nom de naissance, phonetic first name, phonetic last name, phonetic middle name, nickname
        preferred name, preferred first name, other emails
        комментари*, примечани*, заметки
        备注*, 说明, 備考, メモ, コメント, フリガナ, ふりがな, カナ
        비고, 메모
    """,
    "school": """
        school*, universit*, college*, institution, alma mater, hochschule, ecole, etablissement, escuela
        universidade, faculdade, scuola, ateneo, uniwersytet, uczelnia
        вуз, университет*, учебное заведение
        学校, 毕业院校, 毕业学校, 院校, 大学, 出身校, 学校名
        학교*, 대학교, 대학
    """,
    "education": """
        education*, degree*, highest degree, highest education, qualification, abschluss, bildungsabschluss
        diplome, niveau d etudes, formation, titulacion, estudios, formacion, escolaridade, formacao
        titolo di studio, istruzione, opleiding, wyksztalcenie
        образование
        学历, 最高学历, 学位, 学歴
        최종학력, 학력, 학위
    """,
    "major": """
        major, field of study, discipline, studiengang, studienfach, specialite, carrera, especialidad, curso
        area de estudo, corso di laurea, studierichting, kierunek*
        специальность
        专业, 所学专业, 専攻
        전공
    """,
    "work_experience": """
        work experience, experience, work history, experiencia*, experiencia laboral, berufserfahrung
        experience professionnelle, esperienza*, esperienza lavorativa, werkervaring, doswiadczenie*
        опыт, опыт работы
        工作经历, 工作经验, 工作履历, 職歴, 職務経歴
        경력*, 경력사항
    """,
    "graduation_year": """
        graduation year, year of graduation, grad year, class of, abschlussjahr, annee de diplome
        annee d obtention, ano de graduacion, ano de graduacao, ano de formatura, anno di laurea
        afstudeerjaar, rok ukonczenia*
        год окончания, год выпуска
        毕业年份, 毕业年, 毕业时间, 毕业年度, 卒業年, 卒業年度
        졸업연도, 졸업년도
    """,
    "gender": """
        gender, sex, geschlecht, sexe, genre, sexo, genero, sesso, genere, geslacht, plec
        пол
        性别, 性別
        성별
    """,
    "birthday": """
        birthday, birth date, birthdate, date of birth, dob, born, geburtstag, geburtsdatum, date de naissance
        ne le, fecha de nacimiento, nacimiento, data de nascimento, nascimento, data di nascita, nascita
        geboortedatum, data urodzenia
        дата рождения, день рождения
        出生日期, 生日, 出生年月日, 生年月日, 誕生日
        생년월일, 생일
    """,
}
"""What each field is called."""
ALONE = {
    "name": """
        candidate, candidates, applicant, applicants, participant, person, contact, candidate s, kandidat
        bewerber*, candidat, candidato, kandidaat, kandydat, who, people
        кандидат
        候选人, 应聘者, 申请人, 候補者, 応募者
        지원자, 후보자
    """,
    "prefix": """
        country code, country calling code, calling code, dial code, dialing code, dialling code, phone code
        phone country code, mobile country code, country dial code, phone prefix, landervorwahl, landesvorwahl
        indicatif, indicatif pays, indicatif telephonique, prefijo, prefijo telefonico, prefisso, prefixo, ddi
        landnummer, landcode, numer kierunkowy
        код страны
        国家代码, 国家区号, 国番号
        국가번호
    """,
    "area": """
        area code, vorwahl, ortsvorwahl, indicatif regional, ddd, netnummer
        код города
        区号, 市外局番
        지역번호
    """,
}
"""What heads a column when nothing else stands in the heading."""
CANDIDATE = """
    candidate, candidates, applicant*, participant, student, attendee, invitee, registrant, prospect, talent
    kandidat*, bewerber*, candidat*, kandidaat*, kandydat*
    кандидат*
    候选人, 应聘者, 申请人, 候補者, 応募者
    지원자, 후보자
"""
"""Who a heading says that is to be interviewed, where another person stands in the row too."""
BESIDE = """
    student, student s, attendee, invitee, registrant, prospect, talent, candidate, candidates, candidate s
    applicant, applicant s, participant, contact, person, personal, private, privat, primary, main, preferred
    best, default, home, work, business, office, professional, haupt, full, complete, legal, 1, 2, 3, 4, value
    values, address*, adress*, number*, no, nr, num, id, list, all, other, additional, secondary, your, what
    is, the, of, s, please, enter, my, a, in, format, text, required, optional, adresse, nummer, de, du, la
    le, el, del, da, do, di, e, y, i, et, und, per, for, numero*, numer, perso, personnel*, personale
    particular, principal, principale, pro, professionnel*, direccion, endereco, indirizzo, adres, prywatny
    kontakt*, contacto, contato, contatto, bewerber*, kandidat*, candidat*, kandydat*, geschaftlich
    dienstlich, iphone, linkedin member, name*, namen, komorkow*, telefon*, movil, mobil, cell*, phone, tel
    with, country, code, at, which, we, can, reach, you
    кандидата, адрес, номер, личный, основной
    地址, 号码, 号, 候选人, 应聘者, 个人, 常用, 本人, 番号, 様, 候補者, 応募者, 氏, 请, 填写, 您的, 你的, 姓名
    지원자, 번호, 주소
"""
"""What may stand beside a field's name in a heading without changing what it means."""
OTHERS = """
    company*, employer*, organi*, account, firma*, unternehmen, arbeitgeber, entreprise, societe, employeur
    empresa*, azienda, bedrijf, werkgever, pracodawca, title*, position*, job*, role*, stage*, status, source*
    origin, location*, city, town, country, state, region, street, zip, postal, postcode, plz, ort, stadt
    land, strasse, wohnort, ville, pays, rue, code postal, ciudad, pais, cidade, citta, paese, stad, miasto
    kraj, url, website, link*, profile*, linkedin*, github*, xing, portfolio, uuid, reference, requisition*
    posting*, department*, team, division, recruiter*, owner*, coordinator*, manager*, referr*, referred*
    interviewer*, sourcer*, created*, updated*, applied*, connected*, modified*, last activity, date, time
    zeit, datum, fecha, salary*, gehalt, salaire, salario, stipendio, salaris, score*, rating*, rank, tag*
    labels, label, type, resume*, cv, lebenslauf, cover letter, file*, attachment*, photo, skill*, language*
    nationality, timezone, time zone, visa, notice*, availability, group*, membership, occupation, birth place
    stelle, poste, puesto, cargo, vaga, posizione, functie, vacature, stanowisko, quelle, herkunft, rejected*
    opt*, consent*, verified, sent, sentiment, bounced, hired*, offer*, reason*, ref, referent
    ansprechpartner, vermittler, session*, invite, invites, inviteurl, begun*, mean, scored*, unsound, rubric*
    exported*, software, names, display, angezeigt*, affich*, prefix, suffix, honorific, salutation, anrede
    civilite, tratamiento, row, index
    компания, город, страна, зарплата, должность, вакансия
    公司*, 会社*, 会社名, 城市, 地址, 所在地, 都市, 住所, 薪资*, 期望薪资, 年収, 职位*, 岗位*, 应聘职位
    部门, 来源, 渠道, 職種, 役職
    회사*, 도시, 거주지, 연봉, 직무, 직책
"""
"""What columns hold that are no field of a person to interview: known, and left out."""
SOMEBODY_ELSE = """
    recruiter*, owner*, coordinator*, manager*, referr*, referred*, interviewer*, sourcer*, emergency*, spouse
    parent*, reference*, ansprechpartner, referent, vermittler, creator, added, assigned, agency, agent
    supervisor, boss
"""
"""Whose addresses and numbers are not the candidate's."""
NOTHING = frozenset(
    """
    aucun aucune bd blank brak desconhecido desconocido empty geen inconnu ka kein keine keineangabe keiner
    missing na nan naoinformado nc nd neant nenhum nessuno nichtbekannt nichtvorhanden nieznany nil ninguna
    ninguno noaplica noconsta nodata noemail nonapplicable nondisponibile none nonrenseigne nophone
    notapplicable notavailable notgiven notknown notprovided null nvt onbekend pending sconosciuto sindatos
    tba tbc tbd unbekannt undefined unknown
    нд неизвестно нет
    なし 不明 无 暂无 未填 未定 未知 未記入 没有 無 空
    미상 없음
    """.split()
)
"""What people write into a cell that holds nothing, without spaces and punctuation."""
ENDS = """
    total*, subtotal*, sum, summe*, gesamt*, zwischensumme, anzahl, somme, suma, totale, totaal, razem, count
    average, generated by, generated on, exported*, created by, created on, printed*, powered by, end of list
    end of report, end of file, end of export, ende der liste, fin de la liste, fin de lista, fin del informe
    fim da lista, fine elenco, fine lista, einde van de lijst, einde lijst, koniec listy, erstellt von
    erstellt am, exportiert*, genere par, genere le, exporte*, generado por, exportado*, gerado por
    generato da, esportato*, gegenereerd*, wygenerowano*, report*, page, seite, confidential*, vertraulich*
    copyright, all rights reserved, thanks, thank you, regards, kind regards, best regards, cheers, hi, hello
    dear, hallo, liebe, viele grusse, danke, merci, cordialement, bonjour, saludos, gracias, hola, ciao
    grazie, obrigad*, pozdrawiam, eof, end, last updated, as of, stand, records, rows, entries, candidates
    applicants
    итого, всего, конец списка, создано, сформировано
    合计, 总计, 共计, 小计, 合計, 総計, 列表结束, 结束, 以上, 生成*, 导出*
    합계, 총계, 총, 이상, 끝
"""
"""How lines begin that end a list or say where it is from."""
MONTHS = (
    "january jan januar janner janvier enero ene janeiro gennaio januari stycznia styczen января январь",
    "february feb februar fevrier febrero fevereiro febbraio februari lutego luty февраля февраль",
    "march mar marz maerz mars marzo marco maart marca marzec марта март",
    "april apr avril abril aprile kwietnia kwiecien апреля апрель",
    "may mai mayo maio maggio mei maja maj мая май",
    "june jun juni juin junio junho giugno czerwca czerwiec июня июнь",
    "july jul juli juillet julio julho luglio lipca lipiec июля июль",
    "august aug aout agosto augustus sierpnia sierpien августа август",
    "september sep sept septembre septiembre setiembre setembro settembre wrzesnia wrzesien сентября сентябрь",
    "october oct oktober okt octobre octubre outubro ottobre pazdziernika pazdziernik октября октябрь",
    "november nov novembre noviembre novembro listopada listopad ноября ноябрь",
    "december dec dezember dez decembre diciembre dezembro dicembre grudnia grudzien декабря декабрь",
)
"""The months, each by its names; by no less than a whole one."""
