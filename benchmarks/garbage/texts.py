"""Texts of our own for the labelled set: other languages, publishers' phrases, and good text that looks odd."""

FOREIGN = {
    "de": (
        "Der Pegel wird jeden Morgen abgelesen, und der Wert kommt in ein Heft, das seit dem Bau der Brücke geführt wird.",
        "Niemand hat bisher einen besseren Ort für das Gerät gefunden, obwohl drei Kommissionen danach gesucht haben.",
        "Während des Sturms fiel der Strom aus, sodass für zwei Stunden keine Aufzeichnungen über die Höhe der Flut vorliegen.",
        "Die Trommel dreht sich einmal in der Woche; das Papier wird am ersten Montag des Monats gewechselt und abgelegt.",
    ),
    "fr": (
        "La marée monte deux fois par jour, et le marégraphe l’inscrit sur un tambour de papier que l’on change chaque lundi.",
        "Personne n’a trouvé de meilleur endroit pour l’appareil, bien que trois enquêtes aient été menées à ce sujet.",
        "Pendant la tempête, le courant a été coupé, si bien qu’aucune hauteur d’eau n’a été relevée durant deux heures.",
        "Le gardien note la température de l’eau et celle de l’air, puis il remonte l’horloge avant de fermer la porte.",
    ),
    "es": (
        "El nivel del agua se lee cada mañana y se anota en un cuaderno que se guarda desde que se construyó el puente.",
        "Nadie ha encontrado un lugar mejor para el aparato, aunque tres comisiones lo han buscado durante muchos años.",
        "Durante la tormenta se cortó la corriente, de modo que no hay registros de la altura de la marea en dos horas.",
        "El guarda apunta la temperatura del agua y la del aire, y da cuerda al reloj antes de cerrar la puerta.",
    ),
    "it": (
        "Il livello dell’acqua viene letto ogni mattina e annotato in un quaderno conservato dalla costruzione del ponte.",
        "Nessuno ha trovato un posto migliore per lo strumento, benché tre commissioni lo abbiano cercato a lungo.",
        "Durante la tempesta è mancata la corrente, perciò per due ore non ci sono registrazioni dell’altezza della marea.",
        "Il custode annota la temperatura dell’acqua e quella dell’aria, poi carica l’orologio prima di chiudere la porta.",
    ),
    "nl": (
        "Het peil wordt elke ochtend afgelezen en opgeschreven in een schrift dat sinds de bouw van de brug wordt bijgehouden.",
        "Niemand heeft tot nu toe een betere plaats voor het toestel gevonden, hoewel drie commissies ernaar hebben gezocht.",
        "Tijdens de storm viel de stroom uit, zodat er gedurende twee uur geen metingen van de vloedhoogte bestaan.",
        "De wachter noteert de temperatuur van het water en van de lucht, en windt de klok op voor hij de deur sluit.",
    ),
    "pt": (
        "O nível da água é lido todas as manhãs e anotado num caderno que existe desde a construção da ponte.",
        "Ninguém encontrou um lugar melhor para o aparelho, embora três comissões o tenham procurado durante anos.",
        "Durante a tempestade faltou a energia, de modo que não há registos da altura da maré por duas horas.",
        "O guarda anota a temperatura da água e a do ar, e dá corda ao relógio antes de fechar a porta.",
    ),
    "pl": (
        "Poziom wody odczytuje się każdego ranka i zapisuje w zeszycie prowadzonym od czasu budowy mostu.",
        "Nikt nie znalazł dotąd lepszego miejsca dla przyrządu, chociaż szukały go trzy różne komisje.",
        "Podczas burzy zabrakło prądu, dlatego przez dwie godziny nie ma zapisów wysokości przypływu.",
        "Strażnik notuje temperaturę wody i powietrza, a potem nakręca zegar, zanim zamknie drzwi.",
    ),
    "ru": (
        "Уровень воды считывают каждое утро и записывают в тетрадь, которую ведут со времени постройки моста.",
        "Никто пока не нашёл лучшего места для прибора, хотя его искали три разные комиссии.",
        "Во время бури отключилось электричество, поэтому за два часа нет записей о высоте прилива.",
        "Сторож записывает температуру воды и воздуха, а затем заводит часы, прежде чем закрыть дверь.",
    ),
}

STOCK = (
    "Copyright 2031 The Halden Press. All rights reserved. No part of this publication may be reproduced, stored in a "
    "retrieval system or transmitted in any form without the leave of the publisher.",
    "We use cookies to make this site better for you. By going on you accept cookies and our privacy policy.",
    "Please enable JavaScript to see this page. Click here if you are not sent on within five seconds.",
    "Downloaded from the archive of the Halden Press on 3 May 2031. For personal use only; all rights reserved.",
    "Permission to make digital or hard copies of this work is granted without fee provided that copies are not made or "
    "distributed for profit.",
    "The software is provided as is, without warranty of any kind, express or implied. All rights reserved.",
    "Subscribe now to our monthly letter and never miss an issue. Follow us on the usual places. Unsubscribe at any time.",
    "This page is intentionally left blank.",
    "© 2030 Skerrow Coast Marine Society. All rights reserved. Terms of use and privacy policy apply to this copy.",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna.",
    "The views expressed in this report are those of its authors alone. Reproduced for personal use only, all rights reserved.",
    "Sign up for our newsletter to hear of new books. You may unsubscribe at any time. See our privacy policy.",
)

POEMS = (
    "The tide goes out, the tide comes in,\nand where it was the mud is thin;\nno hand has made, no hand can stay\n"
    "the water on its daily way.",
    "Grey gull, grey gull,\nwhat do you know\nof the ferry’s hull\nand the undertow?\n\nI know the hull,\nI know the sea,\n"
    "and neither, neither\nknows of me.",
    "I read the gauge at six o’clock,\nI read it once again at ten;\nthe needle neither ran nor stuck,\nand I went up to bed again.",
    "O slow, slow bell beneath the pier,\nslow bell, slow bell, whom do you call?\nThe drowned, the drowned no longer hear,\n"
    "and you are rust and weed and all.",
    "Snow on the slip,\nsnow on the chain;\na boat without a name\ncomes in again.",
    "Of all the things the harbour kept\nthe smallest was a key of brass,\nthat turned in nothing, while it slept\nbehind a pane of "
    "salted glass.",
)

CODE = (
    "def median(levels: list[float]) -> float:\n    ordered = sorted(levels)\n    middle = len(ordered) // 2\n"
    "    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2",
    "SELECT station, AVG(level) AS mean FROM readings WHERE taken_at >= '2030-01-01' GROUP BY station HAVING COUNT(*) > 24;",
    "for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; if (sum > LIMIT) { break; } }",
    '#!/bin/sh\nset -e\nfor f in *.csv; do\n  sort -u "$f" > "$f.tmp" && mv "$f.tmp" "$f"\ndone',
    '{"station": "LP-1", "levels": [1.02, 1.04, 1.07], "unit": "m", "ok": true}',
    "0001  MOV A,#0FFh\n0003  DJNZ R0,0003h\n0005  CPL P1.0\n0007  SJMP 0001h",
    "git fetch --all && git rebase origin/main && git push --force-with-lease",
    "x=[[0]*9 for _ in'#'*9];x[1][2]+=3;print(*map(sum,x),sep='|')",
)

FORMULAS = (
    "$$X = QR \\tag{1}$$",
    "\\[ \\frac{\\partial u}{\\partial t} = \\kappa \\nabla^2 u + f(x, t) \\]",
    "$$\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}$$",
    "\\[ T_n = \\frac{2L}{n\\sqrt{gh}}, \\quad n = 1, 2, 3, \\dots \\]",
    "$$A = \\begin{pmatrix} 1 & 0 \\\\ 0 & -1 \\end{pmatrix}$$",
    "\\[ P(A \\mid B) = \\frac{P(B \\mid A)\\,P(A)}{P(B)} \\]",
)

TABLES = (
    "| Station | Depth (m) | Period (min) |\n| --- | --- | --- |\n| Long Pier | 4.2 | 47.2 |\n| Cradle Point | 11.8 | 19.1 |",
    "| Year | Total | Public | Private |\n| --- | --- | --- | --- |\n| 1996 | 16.9 | 17.1 | 15.5 |\n| 1997 | 16.6 | 16.8 | 15.2 |",
    "| Part | No. | Price |\n| --- | --- | --- |\n| Membrane | 40-112 | 18.50 |\n| Battery | 40-115 | 7.20 |",
    "| Matter | First | If no answer |\n| --- | --- | --- |\n| Gauge fault | Duty desk | Warden |\n| Ice | Warden | Harbour |",
)

ODD_PROSE = (
    "Let $f(x) = \\sum_{i=1}^{n} a_i x^i$ be a polynomial with $a_n \\neq 0$; then $f$ has at most $n$ roots in $\\mathbb{C}$.",
    "Call `read_level(port, rate=9600)` and pass the result to numpy.asarray, then to scipy.signal.butter(4, 0.1).",
    "Dr. Yusra Hadi, Piet Lindqvist and Maren Voss of Halden met Oran Moll, Edda Achterberg and Aino Brandt at Skerrow Point.",
    "In 1931, 1947 and 1963 the level passed 2.4 m, 2.7 m and 3.1 m above datum; in 1964, 1965 and 1966 it did not.",
    "Treat with 5 mg/kg of ibuprofen q8h, or 10–15 mg/kg of paracetamol q6h p.o., but not with acetylsalicylic acid.",
    "Phylogenetic analysis placed Zostera noltei and Ruppia cirrhosa with Potamogetonaceae, not with Hydrocharitaceae.",
    "He said, she said, they said: all of them said it, and all of them said it twice, and none of them was believed.",
    "Never open the valve while the pump runs. Never open the valve while the lamp is red. Never open it alone.",
    "Take the A4 to exit 12b, then the B1027 for 3.4 km, and turn left at no. 17 (GPS 54.1234, 7.8912).",
    "ARM Cortex-M4F, 168 MHz, 192 KB SRAM, 1 MB flash, 3× USART, 2× SPI, 2× I²C and a 12-bit ADC at 2.4 MS/s.",
    "The pH fell from 8.1 to 7.6 (n = 12, p < 0.01); chlorophyll-a rose to 14 µg/L, turbidity to 22 NTU and TSS to 31 mg/L.",
    "Beowulf, Grendel, Hrothgar, Wealhtheow, Unferth and Wiglaf are named in the poem; Hygelac and Heorot are named often.",
    "“Who’s there?” “Nobody.” “Nobody who?” “Nobody you know.” “Then go away, Nobody, and take the other Nobody with you.”",
    "Mix 200 g flour, 120 g butter, 80 g sugar and 1 egg; chill 30 min at 4 °C; roll to 5 mm; bake 12–14 min at 180 °C.",
    "Kubernetes restarts a pod whose livenessProbe fails; set initialDelaySeconds, periodSeconds and failureThreshold in its spec.",
    "The Smiths (1982–1987) made four albums: The Smiths (1984), Meat Is Murder (1985), The Queen Is Dead (1986) and one more.",
    "A qubit in the state |0⟩ + |1⟩ is measured in the Hadamard basis; the unitary U acts on the ancilla, then a CNOT follows.",
    "To be, or not to be, that is the question: whether ’tis nobler in the mind to suffer the slings and arrows of fortune.",
    "Members present: the Chair, the Warden, Mrs Brandt, Mr Moll. Apologies: Dr Hadi. Minutes of 3 May: read, agreed and signed.",
    "Kirchhoff, Helmholtz und Bunsen taught in Heidelberg; Helmholtz’s Tonempfindungen and Bunsen’s Gasometrie are still read.",
)
