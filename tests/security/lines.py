"""Lines with a Wi-Fi password in them, as people type them and as they mistype them."""

SECRET = "correct horse 42"

#: name -> line; each holds SECRET.
RIGHT = {
    "the command": f'AT+WIFISTACFG=1,"home","{SECRET}"',
    "lower case": f'at+wifistacfg=1,"home","{SECRET}"',
    "shortened": f'AT+WIFISTACF=1,"home","{SECRET}"',
    "quote in the name": f'AT+WIFISTACFG=1,"ho\\"me","{SECRET}"',
    "comma in the name": f'AT+WIFISTACFG=1,"ho,me","{SECRET}"',
    "backslash in the name": f'AT+WIFISTACFG=1,"home\\\\","{SECRET}"',
    "quote in the password": f'AT+WIFISTACFG=1,"home","\\"{SECRET}"',
}

MISTYPED = {
    "letter missing": f'AT+WIFISTCFG=1,"home","{SECRET}"',
    "letter too many": f'AT+WIFISTACFGG=1,"home","{SECRET}"',
    "letter doubled": f'AT+WIFIISTACFG=1,"home","{SECRET}"',
    "letters swapped": f'AT+WIFISATCFG=1,"home","{SECRET}"',
    "other case, letter missing": f'at+wifistcfg=1,"home","{SECRET}"',
    "first letter missing": f'AT+IFISTACFG=1,"home","{SECRET}"',
    "too short to be one": f'AT+WIFISTA=1,"home","{SECRET}"',
    "much too short": f'AT+WIFI=1,"home","{SECRET}"',
    "underscore": f'AT+WIFI_STACFG=1,"home","{SECRET}"',
    "another vendor's": f'AT+CWJAP="home","{SECRET}"',
    "access point": f'AT+WIFIAPCFG=1,"home","{SECRET}"',
    "no plus": f'ATWIFISTACFG=1,"home","{SECRET}"',
    "space instead": f'AT WIFISTACFG=1,"home","{SECRET}"',
    "space behind the plus": f'AT+ WIFISTACFG=1,"home","{SECRET}"',
    "space before the equals": f'AT+WIFISTACFG =1,"home","{SECRET}"',
    "colon": f'AT+WIFISTACFG:1,"home","{SECRET}"',
    "no equals": f'AT+WIFISTACFG 1,"home","{SECRET}"',
    "no AT": f'WIFISTACFG=1,"home","{SECRET}"',
    "no AT, but a plus": f'+WIFISTACFG=1,"home","{SECRET}"',
    "noise before": f'\udcffAT+WIFISTACFG=1,"home","{SECRET}"',
    "number missing": f'AT+WIFISTACFG="home","{SECRET}"',
    "no closing quote": f'AT+WIFISTACFG=1,"home","{SECRET}',
    "no quotes": f"AT+WIFISTACFG=1,home,{SECRET}",
    "quote in the name not escaped": f'AT+WIFISTACFG=1,"ho"me","{SECRET}"',
    "name not closed": f'AT+WIFISTACFG=1,"home,"{SECRET}"',
    "space instead of the comma": f'AT+WIFISTACFG=1,"home" "{SECRET}"',
    "one field too many": f'AT+WIFISTACFG=1,"home","","{SECRET}"',
    "single quotes": f"AT+WIFISTACFG=1,'home','{SECRET}'",
}

#: What only a person at the shell types.
TYPED = {
    "verb": f"set WIFISTACFG 1 home '{SECRET}'",
    "verb, lower case": f"set wifistacfg 1 home '{SECRET}'",
    "verb, with AT": f"set AT+WIFISTACFG 1 home '{SECRET}'",
    "verb, name mistyped": f"set WIFISTACF 1 home '{SECRET}'",
    "verb, glued": f'set WIFISTACFG=1,"home","{SECRET}"',
    "verb, quote open": f"set WIFISTACFG 1 home '{SECRET}",
    "verb mistyped": f"sett WIFISTACFG 1 home '{SECRET}'",
    "wrong verb": f"get WIFISTACFG 1 home '{SECRET}'",
    "asks for help with it": f"help WIFISTACFG 1 home '{SECRET}'",
    "the command of the tool": f"wifi connect home --password '{SECRET}'",
    "forced": f'! AT+WIFISTCFG=1,"home","{SECRET}"',
}

#: On the wire these are names of networks; what was typed is not kept all the same.
MISPLACED = {
    "in the network's name": f'AT+WIFISTACFG=1,"home,{SECRET}"',
    "as the network's name": f'AT+WIFISTACFG=1,"{SECRET}"',
}

#: What must stay as it is: name -> line.
HARMLESS = {
    "read": "AT+WIFISTACFG?",
    "test": "AT+WIFISTACFG=?",
    "name only": 'AT+WIFISTACFG=1,"home"',
    "switched off": "AT+WIFISTACFG=0",
    "answer": '+WIFISTACFG=1,"home",""',
    "other answer": "+WIFISTACONN=1,-60",
    "of a newer firmware": '+WIFIMESH=1,"a","b"',
    "number": "AT+CHCUR=160",
    "text": 'AT+INSTNAME="AT+WIFI=1,2"',
    "its answer": '+INSTNAME="AT+WIFI=1,2"',
    "subscription": 'AT+SUB="+STATE",1000',
    "address": 'AT+WIFISTASTATIC=1,"10.0.0.2","10.0.0.1","255.255.255.0","10.0.0.1"',
    "list": "AT+WIFISTACFG=",
    "result": "OK",
    "log": "I (512) heap: free=1234, largest=99",
}
