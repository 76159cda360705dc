package shop

// catalog is everything the shop sells and says. It does not change.
type catalog struct {
	products  []product
	campaigns []Campaign
	organic   []string // referrers of visits without a campaign; "": typed in
	browsers  []string
	robots    []string
	stores    []string
	names     []string
	cities    []string
	queries   []string
	topics    []string
}

type product struct {
	id, name, category string
	price              Cents
}

const site = "https://www.gipfelglueck.example"

func newCatalog() *catalog {
	return &catalog{
		products:  products(),
		campaigns: campaigns(),
		organic: []string{
			"", "", "https://www.google.com/", "https://www.google.com/", "https://www.bing.com/", "https://duckduckgo.com/",
			"https://www.trail-magazine.example/best-tents",
		},
		browsers: browsers(),
		robots: []string{
			"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
			"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
			"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
			"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
		},
		stores:  []string{"Innsbruck", "Freiburg"},
		names:   []string{"Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hannes", "Ida", "Jonas", "Klara", "Leo", "Mara", "Noah"},
		cities:  []string{"Innsbruck", "Freiburg", "Bern", "Graz", "Salzburg", "Basel", "Munich", "Zurich"},
		queries: []string{"2 person tent", "down jacket", "hiking boots wide", "sleeping bag -5", "rain jacket", "gas stove", "via ferrata set"},
		topics:  []string{"return", "size advice", "delivery time", "warranty"},
	}
}

func products() []product {
	return []product{
		{"tent-201", "Ridge 2 tent", "tents", 34900},
		{"tent-305", "Basecamp 4 tent", "tents", 52900},
		{"tarp-110", "Lark tarp", "tents", 8990},
		{"jkt-410", "Stratus rain jacket", "jackets", 17995},
		{"jkt-420", "Nimbus down jacket", "jackets", 24995},
		{"jkt-430", "Gale wind shell", "jackets", 9995},
		{"boot-510", "Granite hiking boot", "boots", 21900},
		{"boot-520", "Scree approach shoe", "boots", 14900},
		{"boot-530", "Firn winter boot", "boots", 25900},
		{"bag-610", "Tarn 35 backpack", "backpacks", 13900},
		{"bag-620", "Col 55 backpack", "backpacks", 18900},
		{"slp-710", "Dusk sleeping bag", "sleeping", 15900},
		{"slp-720", "Moss sleeping mat", "sleeping", 7990},
		{"stv-810", "Ember gas stove", "kitchen", 5490},
		{"stv-820", "Kettle pot set", "kitchen", 4290},
		{"nav-910", "Beacon head torch", "light", 3995},
	}
}

func campaigns() []Campaign {
	return []Campaign{
		{Source: "google", Medium: "cpc", Name: "tent-season", Term: "2 person tent"},
		{Source: "google", Medium: "cpc", Name: "brand", Term: "gipfelglueck"},
		{Source: "instagram", Medium: "social", Name: "summit-stories", Content: "reel"},
		{Source: "trail-magazine", Medium: "affiliate", Name: "gear-guide"},
	}
}

// newsletters are the two mailings of the week, by the day they go out.
func newsletters() []newsletter {
	return []newsletter{
		{day: 1, hour: 8, campaign: Campaign{Source: "newsletter", Medium: "email", Name: "first-frost"}},
		{day: 4, hour: 8, campaign: Campaign{Source: "newsletter", Medium: "email", Name: "weekend-coupon"}},
	}
}

type newsletter struct {
	day, hour int
	campaign  Campaign
}

func browsers() []string {
	return []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
	}
}
