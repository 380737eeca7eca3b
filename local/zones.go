package local

import (
	"slices"
	"strings"
	"time"
)

// zones are the time zones that Firehose supports, by what stands before their
// slash (developer guide, configure Amazon S3 object name format): names as they were
// long ago. AWS was seen to take Asia/Calcutta and to refuse Asia/Kolkata and
// Europe/Kyiv (September 2026, by the project cdk-preflight), so the list is all.
// Africa/Porto-Novo and America/Port-au-Prince are on it, and break the API's own
// pattern for the member, which comes before this.
var zones = map[string][]string{
	"Africa": strings.Fields(`Abidjan Accra Addis_Ababa Algiers Asmera Bangui Banjul Bissau Blantyre Bujumbura Cairo Casablanca Conakry Dakar
		Dar_es_Salaam Djibouti Douala Freetown Gaborone Harare Johannesburg Kampala Khartoum Kigali Kinshasa Lagos Libreville Lome Luanda
		Lubumbashi Lusaka Malabo Maputo Maseru Mbabane Mogadishu Monrovia Nairobi Ndjamena Niamey Nouakchott Ouagadougou Porto-Novo
		Sao_Tome Timbuktu Tripoli Tunis Windhoek`),
	"America": strings.Fields(`Adak Anchorage Anguilla Antigua Aruba Asuncion Barbados Belize Bogota Buenos_Aires Caracas Cayenne Cayman Chicago
		Costa_Rica Cuiaba Curacao Dawson_Creek Denver Dominica Edmonton El_Salvador Fortaleza Godthab Grand_Turk Grenada Guadeloupe
		Guatemala Guayaquil Guyana Halifax Havana Indianapolis Jamaica La_Paz Lima Los_Angeles Managua Manaus Martinique Mazatlan
		Mexico_City Miquelon Montevideo Montreal Montserrat Nassau New_York Noronha Panama Paramaribo Phoenix Port_of_Spain Port-au-Prince
		Porto_Acre Puerto_Rico Regina Rio_Branco Santiago Santo_Domingo Sao_Paulo Scoresbysund St_Johns St_Kitts St_Lucia St_Thomas
		St_Vincent Tegucigalpa Thule Tijuana Tortola Vancouver Winnipeg`),
	"Antarctica": strings.Fields(`Casey DumontDUrville Mawson McMurdo Palmer`),
	"Asia": strings.Fields(`Aden Almaty Amman Anadyr Aqtau Aqtobe Ashgabat Ashkhabad Baghdad Bahrain Baku Bangkok Beirut Bishkek Brunei Calcutta
		Colombo Dacca Damascus Dhaka Dubai Dushanbe Hong_Kong Irkutsk Jakarta Jayapura Jerusalem Kabul Kamchatka Karachi Katmandu
		Krasnoyarsk Kuala_Lumpur Kuwait Macao Magadan Manila Muscat Nicosia Novosibirsk Phnom_Penh Pyongyang Qatar Rangoon Riyadh Saigon
		Seoul Shanghai Singapore Taipei Tashkent Tbilisi Tehran Thimbu Thimphu Tokyo Ujung_Pandang Ulaanbaatar Ulan_Bator Vientiane
		Vladivostok Yakutsk Yekaterinburg Yerevan`),
	"Atlantic":  strings.Fields(`Azores Bermuda Canary Cape_Verde Faeroe Jan_Mayen Reykjavik South_Georgia St_Helena Stanley`),
	"Australia": strings.Fields(`Adelaide Brisbane Broken_Hill Darwin Hobart Lord_Howe Perth Sydney`),
	"Europe": strings.Fields(`Amsterdam Andorra Athens Belgrade Berlin Brussels Bucharest Budapest Chisinau Copenhagen Dublin Gibraltar Helsinki
		Istanbul Kaliningrad Kiev Lisbon London Luxembourg Madrid Malta Minsk Monaco Moscow Oslo Paris Prague Riga Rome Samara Simferopol
		Sofia Stockholm Tallinn Tirane Vaduz Vienna Vilnius Warsaw Zurich`),
	"Indian": strings.Fields(`Antananarivo Chagos Christmas Cocos Comoro Kerguelen Mahe Maldives Mauritius Mayotte Reunion`),
	"Pacific": strings.Fields(`Apia Auckland Chatham Easter Efate Enderbury Fakaofo Fiji Funafuti Galapagos Gambier Guadalcanal Guam Honolulu
		Kiritimati Kosrae Majuro Marquesas Nauru Niue Norfolk Noumea Pago_Pago Palau Pitcairn Ponape Port_Moresby Rarotonga Saipan Tahiti
		Tarawa Tongatapu Truk Wake Wallis`),
}

// hasZone tells whether Firehose supports a time zone.
func hasZone(name string) bool {
	area, place, _ := strings.Cut(name, "/")
	return name == "UTC" || slices.Contains(zones[area], place)
}

var errZone = invalid("Provided custom time zone is not supported. Custom time zones are limited to UTC and non-3-letter IANA time zones.")

// zone finds a custom time zone, also one that AWS has not.
func zone(name string) (*time.Location, error) {
	z, err := time.LoadLocation(name)
	switch {
	case err != nil && hasZone(name):
		return nil, invalid("This machine's time zone data has no %s, which AWS has: install all of it (the package tzdata-legacy of Debian), or import time/tzdata in the program.", name)
	case err != nil:
		return nil, errZone
	}
	return z, nil
}
