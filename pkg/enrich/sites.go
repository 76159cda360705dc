package enrich

import "strings"

// builtinSites are the hosts that cairn knows: written down from what people use,
// a class at a time. A line is the names that campaigns use for the source, the
// first of them being its name, a colon, and its hosts.
func builtinSites() map[string]string {
	return map[string]string{
		// Pages of those below that are not where people search.
		ClassUnknown: `
google-account: accounts.google.com myaccount.google.com
google-docs: docs.google.com drive.google.com sites.google.com meet.google.com calendar.google.com classroom.google.com
google-pay: pay.google.com payments.google.com
google-support: support.google.com developers.google.com cloud.google.com play.google.com
google-groups: groups.google.com
google-maps: maps.google.com com.google.android.apps.maps
google-translate: translate.google.com
yahoo: yahoo.* finance.yahoo.com news.yahoo.com sports.yahoo.com
yandex-services: passport.yandex.ru disk.yandex.ru market.yandex.ru maps.yandex.ru
naver-services: blog.naver.com cafe.naver.com
baidu-services: tieba.baidu.com baike.baidu.com pan.baidu.com
bing-ads: ads.microsoft.com
`,
		ClassSearch: `
google googlesearch google-search: google.* com.google.android.googlequicksearchbox com.google.android.gm.lite googleadservices.com googlesyndication.com
bing: bing.com cn.bing.com edgeservices.bing.com
yahoo yahoo-search: search.yahoo.* r.search.yahoo.com search.yahoo.co.jp
yandex: yandex.* ya.ru com.yandex.searchplugin
duckduckgo ddg: duckduckgo.com com.duckduckgo.mobile.android
baidu: baidu.com com.baidu.searchbox
ecosia: ecosia.org com.ecosia.android
qwant: qwant.com
startpage: startpage.com ixquick.com
brave: search.brave.com
naver: naver.com com.nhn.android.search
daum: daum.net
nate: nate.com
sogou: sogou.com
so.com 360: so.com haosou.com
shenma: sm.cn
seznam: search.seznam.cz seznam.cz
aol: search.aol.com aol.com
ask: ask.com
lycos: lycos.com
mojeek: mojeek.com
swisscows: swisscows.com
metager: metager.org metager.de
dogpile: dogpile.com
webcrawler: webcrawler.com
excite: excite.com
info.com: info.com
presearch: presearch.com presearch.org
kagi: kagi.com
petal petalsearch: petalsearch.com
coccoc: coccoc.com
rambler: rambler.ru nova.rambler.ru
mail.ru: go.mail.ru
t-online: suche.t-online.de
web.de: suche.web.de
gmx-search: suche.gmx.net suche.gmx.at
virgilio: virgilio.it
libero-search: arianna.libero.it
onet: szukaj.onet.pl
wp: szukaj.wp.pl
sapo: pesquisa.sapo.pt
orange: lemoteur.orange.fr
hotbot: hotbot.com
gibiru: gibiru.com
searx: searx.be searx.space
goo: search.goo.ne.jp
biglobe: cgi.search.biglobe.ne.jp
rakuten-search: websearch.rakuten.co.jp
msn: msn.com
avg: search.avg.com
avira: search.avira.com
ccm: search.ccm.net
zapmeta: zapmeta.com
gigablast: gigablast.com
teoma: teoma.com
alltheweb: alltheweb.com
altavista: altavista.com
exalead: exalead.com
walla: search.walla.co.il
centrum: search.centrum.cz
najdi: najdi.si
zoznam: zoznam.sk
kvasir: kvasir.no
eniro: eniro.se
krak: krak.dk
search.ch: search.ch
search: search.com
`,
		ClassSocial: `
facebook fb meta facebook-ads: facebook.com fb.com fb.me messenger.com fbcdn.net com.facebook.katana com.facebook.lite com.facebook.orca
instagram ig insta: instagram.com com.instagram.android
threads: threads.net threads.com
twitter x x-twitter: twitter.com t.co x.com com.twitter.android
linkedin li linkedin-ads: linkedin.com lnkd.in com.linkedin.android
pinterest pin: pinterest.* pin.it com.pinterest
tiktok tt tiktok-ads: tiktok.com com.zhiliaoapp.musically com.ss.android.ugc.trill
snapchat snap: snapchat.com com.snapchat.android
reddit: reddit.com redd.it com.reddit.frontpage
tumblr: tumblr.com
whatsapp wa: whatsapp.com wa.me com.whatsapp
telegram: telegram.org telegram.me t.me org.telegram.messenger org.telegram.plus
discord: discord.com discord.gg discordapp.com com.discord
slack: slack.com com.slack
microsoft-teams teams: teams.microsoft.com
signal: signal.org
viber: viber.com
line: line.me
kakao: kakao.com kakaocorp.com story.kakao.com
wechat weixin: wechat.com weixin.qq.com
qq qzone: qzone.qq.com
weibo: weibo.com weibo.cn
xiaohongshu rednote: xiaohongshu.com xhslink.com
douban: douban.com
zhihu: zhihu.com
vk vkontakte: vk.com vk.ru vkontakte.ru
ok odnoklassniki: ok.ru odnoklassniki.ru
mastodon: mastodon.social mastodon.online mstdn.social fosstodon.org hachyderm.io
bluesky bsky: bsky.app bsky.social go.bsky.app
quora: quora.com
medium.com: medium.com
substack: substack.com
hackernews hacker-news: news.ycombinator.com
lobsters: lobste.rs
producthunt: producthunt.com
stackoverflow: stackoverflow.com stackexchange.com superuser.com serverfault.com
github: github.com
gitlab: gitlab.com
digg: digg.com
flipboard: flipboard.com
pocket: getpocket.com
instapaper: instapaper.com
mix: mix.com stumbleupon.com
delicious: del.icio.us
diigo: diigo.com
scoop.it: scoop.it
buffer: buffer.com
hootsuite: hootsuite.com ow.ly
linktree: linktr.ee
xing: xing.com
viadeo: viadeo.com
meetup: meetup.com
nextdoor: nextdoor.com
yelp: yelp.com yelp.*
tripadvisor: tripadvisor.*
foursquare: foursquare.com swarmapp.com
goodreads: goodreads.com
ravelry: ravelry.com
strava: strava.com
untappd: untappd.com
behance: behance.net
dribbble: dribbble.com
deviantart: deviantart.com
flickr: flickr.com
500px: 500px.com
vsco: vsco.co
imgur: imgur.com
9gag: 9gag.com
livejournal: livejournal.com
wordpress: wordpress.com
blogger: blogger.com blogspot.com
disqus: disqus.com
gab: gab.com
parler: parler.com
truthsocial: truthsocial.com
mewe: mewe.com
clubhouse: clubhouse.com joinclubhouse.com
patreon: patreon.com
onlyfans: onlyfans.com
wattpad: wattpad.com
plurk: plurk.com
mixi: mixi.jp
hatena: hatena.ne.jp b.hatena.ne.jp
note: note.com
taringa: taringa.net
skyrock: skyrock.com
gutefrage: gutefrage.net
bereal: bereal.com
lemmy: lemmy.world lemmy.ml
glassdoor: glassdoor.*
`,
		ClassVideo: `
youtube yt youtube-ads: youtube.com youtu.be youtube-nocookie.com com.google.android.youtube
vimeo: vimeo.com
dailymotion: dailymotion.com dai.ly
twitch: twitch.tv tv.twitch.android.app
bilibili: bilibili.com b23.tv
youku: youku.com
iqiyi: iqiyi.com iq.com
rutube: rutube.ru
niconico: nicovideo.jp nico.ms
rumble: rumble.com
odysee: odysee.com
bitchute: bitchute.com
peertube: joinpeertube.org
wistia: wistia.com wistia.net
loom: loom.com
ted: ted.com
kick: kick.com
netflix: netflix.com
hulu: hulu.com
disneyplus: disneyplus.com
metacafe: metacafe.com
veoh: veoh.com
streamable: streamable.com
likee: likee.video
kwai: kwai.com kuaishou.com
douyin: douyin.com iesdouyin.com
vidyard: vidyard.com
brightcove: brightcove.com brightcove.net
`,
		ClassShopping: `
google-shopping google_shopping shopping.google: shopping.google.com shopping.google.*
amazon: amazon.* amzn.to a.co com.amazon.mshop.android.shopping
ebay: ebay.* ebay.us com.ebay.mobile
etsy: etsy.com etsy.me com.etsy.android
aliexpress: aliexpress.com aliexpress.ru
alibaba: alibaba.com 1688.com
taobao: taobao.com
tmall: tmall.com
jd: jd.com
pinduoduo: pinduoduo.com
temu: temu.com
shein: shein.com
wish: wish.com
walmart: walmart.com
target: target.com
bestbuy: bestbuy.com
costco: costco.com
rakuten: rakuten.com rakuten.co.jp
mercari: mercari.com jp.mercari.com
coupang: coupang.com
flipkart: flipkart.com
myntra: myntra.com
shopee: shopee.*
lazada: lazada.*
tokopedia: tokopedia.com
mercadolibre mercadolivre: mercadolibre.com mercadolibre.com.ar mercadolibre.com.mx mercadolivre.com.br
allegro: allegro.pl
bol: bol.com
cdiscount: cdiscount.com
fnac: fnac.com
zalando: zalando.*
otto: otto.de
kaufland: kaufland.de
idealo: idealo.de idealo.*
geizhals: geizhals.de geizhals.at
billiger: billiger.de
preisvergleich: preisvergleich.de
guenstiger: guenstiger.de
check24: check24.de
toppreise: toppreise.ch
galaxus digitec: galaxus.ch galaxus.de digitec.ch
ricardo: ricardo.ch
kleinanzeigen: kleinanzeigen.de ebay-kleinanzeigen.de
willhaben: willhaben.at
leboncoin: leboncoin.fr
leguide: leguide.com
pricerunner: pricerunner.com pricerunner.*
prisjakt: prisjakt.nu prisjakt.no
kelkoo: kelkoo.*
ceneo: ceneo.pl
heureka: heureka.cz heureka.sk
zbozi: zbozi.cz
trovaprezzi: trovaprezzi.it
pricespy: pricespy.co.uk pricespy.co.nz
shopzilla: shopzilla.com
pricegrabber: pricegrabber.com
shopping: shopping.com
bizrate: bizrate.com
nextag: nextag.com
connexity: connexity.com
slickdeals: slickdeals.net
hotukdeals: hotukdeals.com
mydealz: mydealz.de
dealabs: dealabs.com
pepper: pepper.com pepper.pl
groupon: groupon.*
retailmenot: retailmenot.com
honey: joinhoney.com
camelcamelcamel: camelcamelcamel.com
kakaku: kakaku.com
ozon: ozon.ru
wildberries: wildberries.ru
vinted: vinted.*
depop: depop.com
poshmark: poshmark.com
stockx: stockx.com
wayfair: wayfair.com
homedepot: homedepot.com
shopify-shop shop.app: shop.app
`,
		ClassEmail: `
gmail: mail.google.com com.google.android.gm inbox.google.com
outlook hotmail: outlook.live.com outlook.office.com outlook.office365.com outlook.com mail.live.com com.microsoft.office.outlook
yahoo-mail: mail.yahoo.com mail.yahoo.* mail.yahoo.co.jp com.yahoo.mobile.client.android.mail
icloud: icloud.com
aol-mail: mail.aol.com
gmx: gmx.net gmx.com gmx.at gmx.ch
web.de-mail: web.de
t-online-mail: email.t-online.de
proton protonmail: mail.proton.me proton.me protonmail.com
zoho-mail: mail.zoho.com mail.zoho.eu
fastmail: fastmail.com
tutanota tuta: mail.tutanota.com app.tuta.com
yandex-mail: mail.yandex.ru mail.yandex.com
mail.ru-mail: e.mail.ru
qq-mail: mail.qq.com
163-mail: mail.163.com mail.126.com
naver-mail: mail.naver.com
daum-mail: mail.daum.net
orange-mail: messagerie.orange.fr
laposte: laposte.net
free-mail: zimbra.free.fr
libero-mail: mail.libero.it
seznam-mail: email.seznam.cz
wp-mail: poczta.wp.pl
onet-mail: poczta.onet.pl
bluewin: webmail.bluewin.ch
comcast: mail.comcast.net
rediff: mail.rediff.com
superhuman: mail.superhuman.com
hey: app.hey.com
mailchimp: mailchimp.com list-manage.com campaign-archive.com
sendgrid: sendgrid.net
`,
		ClassChatbot: `
chatgpt openai: chatgpt.com chat.openai.com openai.com com.openai.chatgpt
claude anthropic: claude.ai
gemini bard: gemini.google.com bard.google.com com.google.android.apps.bard
copilot: copilot.microsoft.com copilot.com
perplexity: perplexity.ai pplx.ai ai.perplexity.app.android
grok: grok.com x.ai
deepseek: chat.deepseek.com deepseek.com
mistral le-chat: chat.mistral.ai
meta-ai: meta.ai
you: you.com
phind: phind.com
poe: poe.com
pi: pi.ai
character.ai: character.ai
huggingchat: huggingface.co
kimi: kimi.com kimi.moonshot.cn
qwen: chat.qwen.ai
doubao: doubao.com
ernie: yiyan.baidu.com
andi: andisearch.com
iask: iask.ai
komo: komo.ai
notebooklm: notebooklm.google.com
`,
	}
}

// builtin are the sites of builtinSites, beside what s knows already.
func (s *sites) builtin() {
	list := builtinSites()
	// In this order, so that of a name given twice always the same one counts.
	for _, class := range []string{ClassUnknown, ClassSearch, ClassSocial, ClassVideo, ClassShopping, ClassEmail, ClassChatbot} {
		for line := range strings.Lines(list[class]) {
			names, hosts, ok := strings.Cut(strings.TrimSpace(line), ":")
			if !ok {
				continue
			}
			known := site{class: class}
			for name := range strings.FieldsSeq(names) {
				if known.source == "" {
					known.source = name
				}
				if class != ClassUnknown {
					s.name(name, known)
				}
			}
			for host := range strings.FieldsSeq(hosts) {
				s.add(host, known)
			}
		}
	}
}
