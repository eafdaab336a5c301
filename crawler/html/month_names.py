"""Names of months in some sixty languages, by Unicode CLDR: wide and abbreviated, in lower case, without full stops."""

# ruff: noqa: RUF001  # letters of other alphabets

from __future__ import annotations

from typing import Final

__all__ = ["MONTHS", "MONTHS_OF"]

_NAMES: Final = """
ean eanáir ene enero gen gener gennaio ian ianuarie ion ionawr jaan jaanuar jan janar janeiro jannar januar januari \
januarie january január januára janv janvier janvāris janúar led leden ledna oca ocak saus sausio sausis sij \
siječanj siječnja sty styczeń stycznia tammi tammikuu tammikuuta urt urtarrila xan xaneiro yan yanvar ιαν ιανουάριος \
ιανουαρίου сту студзень студзеня січ січень січня янв январь января яну януари јан јануар јануари қаң қаңтар հնվ \
հունվար հունվարի ינואר ינו׳ جنوری يناير ژانویه जनवरी जन॰ जाने जानेवारी জানু জানুয়ারি જાન્યુ જાન્યુઆરી ஜன ஜனவரி జన \
జనవరి ಜನ ಜನವರಿ ജനു ജനുവരി දුරුතු ม.ค มกราคม ມ.ກ ມັງກອນ ဇန် ဇန်နဝါရီ იან იანვარი ጃን ጃንዋሪ មករា
chw chwef chwefror feabh feabhra feb febbraio febr febreiro febrer febrero februar februari februarie february \
február februára februāris febrúar fev fevereiro fevral fra frar févr février helmi helmikuu helmikuuta lut lutego \
luty ots otsaila peb pebrero shk shkurt vas vasario vasaris veebr veebruar velj veljača veljače úno únor února şub \
şubat φεβ φεβρουάριος φεβρουαρίου ақп ақпан лют лютага лютий лютого люты феб фебруар фев февр февраль февраля \
февруари փետրվար փետրվարի փտվ פברואר פבר׳ فبراير فروری فوریه फ़रवरी फ़र॰ फेब्रु फेब्रुअरी फेब्रुवारी ফেব ফেব্রুয়ারি \
ફેબ્રુ ફેબ્રુઆરી பிப் பிப்ரவரி ఫిబ్ర ఫిబ్రవరి ಫೆಬ್ರ ಫೆಬ್ರವರಿ ഫെബ്രു ഫെബ്രുവരി නවම් ก.พ กุมภาพันธ์ ກ.ພ ກຸມພາ ဖေ \
ဖေဖော်ဝါရီ თებ თებერვალი ፌብ ፌብሩዋሪ កុម្ភៈ
bře březen března kov kovas kovo maalis maaliskuu maaliskuuta maart mac machi mar marca march marec maret mars marso \
mart martie marts martxoa marzec marzo marzu març março maw mawrth mrt márc március márta mär märts märz ožu ožujak \
ožujka μάρ μάρτιος μαρ μαρτίου бер березень березня мар март марта нау наурыз сак сакавік сакавіка մարտ մարտի մրտ \
מרץ مارس مارچ मार्च মার্চ માર્ચ மார் மார்ச் మార్చి ಮಾರ್ಚ್ മാർ മാർച്ച് මැදින් มี.ค มีนาคม ມ.ນ ມີນາ မတ် მარ მარტი ማርች \
មីនា
abr abril aib aibreán api apirila apr aprel april aprile aprili aprilie aprill apríl apríla aprīlis avr avril bal \
balandis balandžio dub duben dubna d’abr d’abril ebr ebrill huhti huhtikuu huhtikuuta kwi kwiecień kwietnia nis \
nisan pri prill tra travanj travnja ápr április απρ απρίλιος απριλίου апр апрель апреля април квіт квітень квітня \
кра красавік красавіка сәу сәуір ապր ապրիլ ապրիլի אפריל אפר׳ آوریل أبريل اپریل अप्रिल अप्रैल एप्रि एप्रिल এপ্রি \
এপ্রিল એપ્રિલ ஏப் ஏப்ரல் ఏప్రి ఏప్రిల్ ಏಪ್ರಿ ಏಪ್ರಿಲ್ ഏപ്രി ഏപ്രിൽ බක් เม.ย เมษายน ມ.ສ ເມສາ ဧ ဧပြီ აპრ აპრილი ኤፕሪ \
ኤፕሪል មេសា
beal bealtaine geg gegužė gegužės kvě květen května mag maggio mai maiatza maig maijs maio maj maja may mayo mayıs \
maí mei mej mejju máj mája május svi svibanj svibnja touko toukokuu toukokuuta μάι μάιος μαΐ μαΐου май мам мамыр мая \
мај трав травень травня մայիս մայիսի մյս מאי مئی مايو مه मई मे মে મે மே మే ಮೇ മേയ് වෙසක් พ.ค พฤษภาคม ພ.ພ ພຶດສະພາ မေ \
მაი მაისი ሜይ ឧសភា
birž birželio birželis cze czerwca czerwiec eka ekaina giu giugno haz haziran hun hunyo iun iunie iyn iyun juin jun \
june junho juni junie junij junio juny juuni jún júna június júní jūn jūnijs kesä kesäkuu kesäkuuta lipanj lipnja \
meh mehefin meith meitheamh qer qershor xuño červen června čvn ġun ġunju ιουν ιουνίου ιούν ιούνιος июн июнь июня мау \
маусым черв червень червня чэр чэрвень чэрвеня юни јун јуни հնս հունիս հունիսի יוני جون يونيو ژوئن जुन जून জুন જૂન \
ஜூன் జూన్ ಜೂನ್ ജൂൺ පොසොන් มิ.ย มิถุนายน ມິ.ຖ ມິຖຸນາ ဇွန် ივნ ივნისი ጁን មិថុនា
gor gorff gorffennaf heinä heinäkuu heinäkuuta hul hulyo iul iulie iyl iyul iúil juil juillet jul julai julho juli \
julie julij julio juliol july juuli júl júla július júlí jūl jūlijs korr korrik liep liepa liepos lip lipca lipiec \
lug luglio lul lulju srpanj srpnja tem temmuz uzt uztaila xul xullo července červenec čvc ιουλ ιουλίου ιούλ ιούλιος \
июл июль июля лип липень липня ліп ліпень ліпеня шіл шілде юли јул јули հլս հուլիս հուլիսի יולי جولائی يوليو ژوئیه \
जुलाई जुलै जुल॰ জুল জুলাই જુલાઈ ஜூலை జులై ಜುಲೈ ജൂലൈ ඇසළ ก.ค กรกฎาคม ກ.ລ ກໍລະກົດ ဇူ ဇူလိုင် ივლ ივლისი ጁላይ កក្កដា
abu abuztua ago agost agosti agosto agu agustus août aug august augusta augusti augusts augustus augusztus avg \
avgust avq avqust awst aww awwissu ağu ağustos d’ag d’agost elo elokuu elokuuta gush gusht kol kolovoz kolovoza lún \
lúnasa ogo ogos rugp rugpjūtis rugpjūčio sie sierpień sierpnia srp srpen srpna ágú ágúst αυγ αυγούστου αύγ αύγουστος \
авг август августа жні жнівень жніўня серп серпень серпня там тамыз օգոստոս օգոստոսի օգս אוגוסט אוג׳ أغسطس اوت اگست \
अगस्ट अगस्त अग॰ ऑग ऑगस्ट আগ আগস্ট ઑગસ્ટ ஆக ஆகஸ்ட் ఆగ ఆగస్టు ಆಗ ಆಗಸ್ಟ್ ഓഗ ഓഗസ്റ്റ് නිකිණි ส.ค สิงหาคม ສ.ຫ ສິງຫາ ဩ \
ဩဂုတ် აგვ აგვისტო ኦገስ ኦገስት សីហា
eyl eylül ira iraila medi mfómh rugs rugsėjis rugsėjo ruj rujan rujna sen sentabr sentyabr sep sept septemba \
septembar september septembra septembre septembrie septembris septiembre set setembre setembro settembre settembru \
setyembre sht shtator syys syyskuu syyskuuta szept szeptember wrz wrzesień września zář září σεπ σεπτέμβριος \
σεπτεμβρίου вер верасень верасня вересень вересня сент сентябрь сентября сеп септембар септември қыр қыркүйек սեպ \
սեպտեմբեր սեպտեմբերի ספטמבר ספט׳ سبتمبر ستمبر سپتامبر सप्टें सप्टेंबर सितंबर सित॰ सेप्टेम्बर সেপ সেপ্ট সেপ্টেম্বর \
સપ્ટે સપ્ટેમ્બર செப் செப்டம்பர் సెప్టెం సెప్టెంబర్ ಸೆಪ್ಟೆಂ ಸೆಪ್ಟೆಂಬರ್ സെപ്റ്റം സെപ്റ്റംബർ බිනර ก.ย กันยายน ກ.ຍ ກັນຍາ \
စက် စက်တင်ဘာ სექ სექტემბერი ሴፕቴ ሴፕቴምበር កញ្ញា
dfómh d’oct d’octubre eki ekim hyd hydref loka lokakuu lokakuuta oct october octobre octombrie octubre okt oktabr \
oktoba oktobar oktober oktobris oktoober oktubre oktyabr október októbra ott ottobre ottubru out outubro paź \
październik października spal spalio spalis tet tetor urr urria říj říjen října οκτ οκτωβρίου οκτώβριος жовт жовтень \
жовтня кас кастрычнік кастрычніка окт октобар октомври октябрь октября қаз қазан հոկ հոկտեմբեր հոկտեմբերի אוקטובר \
אוק׳ أكتوبر اکتبر اکتوبر अक्टूबर अक्टू॰ अक्टोबर ऑक्टो ऑक्टोबर অক্টো অক্টোবর ઑક્ટો ઑક્ટોબર அக் அக்டோபர் అక్టో \
అక్టోబర్ ಅಕ್ಟೋ ಅಕ್ಟೋಬರ್ ഒക്ടോ ഒക്‌ടോബർ වප් ต.ค ตุลาคม ຕ.ລ ຕຸລາ အောက် အောက်တိုဘာ ოქტ ოქტომბერი ኦክቶ ኦክቶበር តុលា
aza azaroa kas kasım lapkr lapkritis lapkričio lis listopad listopada listopadu marras marraskuu marraskuuta nob \
nobyembre noiembrie nov novemba novembar november novembra novembre novembris novembro novembru noviembre noy noyabr \
nën nëntor nóv nóvember samh samhain stu studeni studenoga tach tachwedd νοέ νοέμβριος νοε νοεμβρίου лист листопад \
листопада ліс лістапад лістапада нов новембар ное ноември нояб ноябрь ноября қар қараша նոյ նոյեմբեր նոյեմբերի \
נובמבר נוב׳ نوامبر نوفمبر نومبر नवंबर नव॰ नोभेम्बर नोव्हें नोव्हेंबर নভে নভেম্বর નવે નવેમ્બર நவ நவம்பர் నవం నవంబర్ \
ನವೆಂ ನವೆಂಬರ್ നവം നവംബർ ඉල් พ.ย พฤศจิกายน ພ.ຈ ພະຈິກ နို နိုဝင်ဘာ ნოე ნოემბერი ኖቬም ኖቬምበር វិច្ឆិកា
abe abendua ara aralık dec decembar december decembra decembrie decembris decembro dek dekabr des desemba desember \
desembre dets detsember dez dezember dezembro dhj dhjetor dic dicembre diciembre dis disember disyembre diċ diċembru \
déc décembre gru grudnia grudzień gruod gruodis gruodžio joulu joulukuu joulukuuta noll nollaig pro prosinac \
prosinca prosince prosinec rhag rhagfyr δεκ δεκέμβριος δεκεμβρίου груд грудень грудня дек декабрь декабря декември \
дец децембар жел желтоқсан сне снежань снежня դեկ դեկտեմբեր դեկտեմբերի דצמבר דצמ׳ دسامبر دسمبر ديسمبر डिसें डिसेंबर \
डिसेम्बर दिसंबर दिस॰ ডিসে ডিসেম্বর ડિસે ડિસેમ્બર டிச டிசம்பர் డిసెం డిసెంబర్ ಡಿಸೆಂ ಡಿಸೆಂಬರ್ ഡിസം ഡിസംബർ උඳුවප් ธ.ค \
ธันวาคม ທ.ວ ທັນວາ ဒီ ဒီဇင်ဘာ დეკ დეკემბერი ዲሴም ዲሴምበር ធ្នូ
"""
MONTHS: Final = {name: month for month, names in enumerate(_NAMES.split("\n")) for name in names.split()}
"""Number of the month, from 1, by its name."""
MONTHS_OF: Final = {"hr": {"lip": 6, "srp": 7, "listopad": 10, "listopada": 10, "lis": 10}}
"""Names that mean another month in one language, by its tag."""
