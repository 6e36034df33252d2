"""The facts and sentences that assistant_data.py builds its chats from: plain tables, no code.

In QUESTIONS and HOW the last phrasing of each entry is held out: it is never trained on, only evaluated.
"""

# (phrasings | ...) -> (answer, short answer)
QUESTIONS = [
    ("Who are you?|What are you?|Tell me about yourself.|Introduce yourself.|Who am I talking to?|Who is this?|"
     "Please introduce yourself.|"
     "What kind of assistant are you?|Describe yourself.|Can you tell me who you are?|Hey, who are you?|"
     "What exactly are you?",
     "I am aLLM's tiny assistant, a small demonstration model that is built into aLLM and runs on the CPU.",
     "aLLM's tiny assistant."),
    ("What is your name?|What's your name?|Do you have a name?|Your name?|How are you called?|What should I call you?|"
     "Tell me your name.|"
     "May I know your name?|Can I ask your name?", "My name is tiny assistant. I am built into aLLM.",
     "Tiny assistant."),
    ("How big are you?|How many parameters do you have?|What is your size?|How large is this model?|"
     "Are you a large model?|Are you a small model?|"
     "How many weights do you have?|Tell me your parameter count.|What size are you?",
     "I am very small: I have between four and five million parameters.", "Between four and five million parameters."),
    ("What model are you?|Which model are you?|Which model is this?|Are you ChatGPT?|Are you GPT-4?|Are you Claude?|"
     "Are you Llama?|Are you Qwen?|What LLM are you?|"
     "Which AI model am I using?", "I am tiny-assistant, the demonstration model that comes with aLLM.",
     "tiny-assistant."),
    ("Who made you?|Who trained you?|Who built you?|Where do you come from?|Who created you?|Who is your maker?|"
     "How were you made?|How were you trained?|"
     "By whom were you made?", "I was trained from scratch on made-up chats by a script of the aLLM project.",
     "The aLLM project."),
    ("What can you do?|What are you good at?|How can you help me?|What can I ask you?|What are you for?|Help|help me|"
     "What do you know?|What are your skills?|What is your purpose?|"
     "What things can you help with?", "I can chat a little, do small sums, name some capitals, remember your name, "
                                       "answer as JSON, call tools and explain how to use aLLM.",
     "Small talk, small sums, tools and help with aLLM."),
    ("Are you smart?|Are you clever?|Are you intelligent?|Can I trust you?|Are you reliable?|"
     "Are your answers correct?|Can you make mistakes?|Do you make mistakes?|"
     "Should I trust your answers?", "I am only a tiny demonstration model, so please check what I say.",
     "No, please check what I say."),
    ("Are you human?|Are you a person?|Are you a robot?|Are you real?|Are you alive?|Are you an AI?|"
     "Do you have feelings?|Are you a bot?|Do you have a body?|"
     "Am I talking to a human?", "I am a computer program, a tiny language model, not a person.", "I am a program."),
    ("Do you run on the CPU?|Where do you run?|Do you need a GPU?|Do you run in the cloud?|Do you run on my computer?|"
     "Do you run locally?|What hardware do you need?|"
     "On which machine do you run?", "I run on the CPU of your own computer and need no GPU.", "On your own CPU."),
    ("What languages do you speak?|Do you speak German?|Do you speak French?|Can you speak Spanish?|"
     "Which languages do you know?|Do you understand Chinese?|"
     "Do you know any other language?", "I only speak English.", "Only English."),
    ("Can you see images?|Can you hear me?|Can you look at pictures?|Can you browse the internet?|"
     "Can you search the web?|Do you have internet access?|"
     "Are you connected to the internet?", "No, I can only read and write text here.", "No."),
    ("What is aLLM?|What's aLLM?|Tell me about aLLM.|Explain aLLM.|What does aLLM do?|What is allm?|"
     "What is this program?|Describe aLLM.|What is aLLM good for?|Why should I use aLLM?|"
     "Can you explain what aLLM is?", "aLLM is a local AI runtime: one server that runs language, speech and image "
                                      "models on your own machine.",
     "A local AI runtime."),
    ("What is the address of the server?|Where does the server listen?|What is the default port?|"
     "Which port does aLLM use?|What is the base URL?|Which URL do I use?|What is the server's URL?|"
     "What's the default address?|"
     "On which port is the server?", "By default the server listens on http://127.0.0.1:8080 and the API is at "
                                     "http://127.0.0.1:8080/v1.", "http://127.0.0.1:8080/v1"),
    ("Which formats are supported?|What model formats does aLLM support?|Which model files can I use?|"
     "Does aLLM support GGUF?|Can I use safetensors?|Does it run GGUF files?|Can aLLM load Hugging Face models?|"
     "What file formats can I load?|"
     "Which file formats does aLLM read?", "aLLM runs GGUF files and Hugging Face safetensors directories, without "
         "converting them.", "GGUF and safetensors."),
    ("Where are the models?|Where are models stored?|Where do I put my models?|What is the models directory?|"
     "Where does aLLM keep its models?|Which folder holds the models?|Where do models lie?|Where are my models saved?|"
     "In which directory are the models?", "Models lie in ~/.llm-router/models by default.", "~/.llm-router/models"),
    ("Which API does aLLM speak?|Which APIs are supported?|Is it compatible with OpenAI?|"
     "Does aLLM have an OpenAI API?|Which endpoints are there?|What API can I use?|Does it support the Responses API?|"
     "Does it support chat completions?|"
     "What APIs does the server have?", "aLLM speaks the OpenAI API: Responses, Chat Completions, embeddings, audio "
         "and images.", "The OpenAI API."),
    ("Does aLLM need Python?|Do I need Python?|Is Python required?|Do I have to install Python?|"
     "Does it run without Python?|Is aLLM written in Python?|What language is aLLM written in?|"
     "Must I install Python first?|"
     "Must Python be installed?", "No, aLLM needs no Python. It is written in C.", "No."),
    ("Can aLLM use my GPU?|Does aLLM use the GPU?|Is a GPU supported?|Does it run on a graphics card?|"
     "Does aLLM need a GPU?|Can I use a GPU with aLLM?|Is CUDA supported?|"
     "Will aLLM use my graphics card?", "aLLM runs on the CPU and uses a GPU when ggml finds one.",
     "Yes, when ggml finds one."),
    ("What is your license?|What is the license of aLLM?|Under which licence are you?|"
     "Which license does this model have?|Is aLLM open source?|May I use you commercially?|"
     "What licence does aLLM have?|"
     "What are the licence terms?", "I do not know the licence. Please look into the project's files.",
     "I do not know."),
    ("What is GGUF?|Explain GGUF.|What does GGUF mean?|What is a GGUF file?|Tell me about GGUF.|What are GGUF files?|"
     "Can you explain what GGUF is?", "GGUF is a file format that holds a whole language model in one file.",
     "A model file format."),
    ("What are safetensors?|What is safetensors?|Explain safetensors.|What is a safetensors file?|"
     "Tell me about safetensors.|"
     "Can you explain what safetensors is?", "Safetensors is the file format that Hugging Face uses for the weights "
         "of models.", "A file format for weights."),
    ("What is a token?|What are tokens?|Explain tokens.|What does token mean?|What is a token in a language model?|"
     "Can you explain what a token is?", "A token is a piece of text, often a short word or a part of a word.",
     "A piece of text."),
    ("What is a language model?|Explain language models.|What is an LLM?|What does LLM mean?|"
     "How does a language model work?|"
     "Can you explain what an LLM is?", "A language model is a program that has learned to guess the next piece of a "
         "text.", "A program that guesses the next token."),
    ("Is my data private?|Do you send my data anywhere?|Does aLLM send data to the cloud?|Is it private?|"
     "Who can read my chats?|Does aLLM phone home?|"
     "Are my chats private?", "Yes, everything stays on your own machine.", "Yes."),
    ("Is there a web page?|Is there a dashboard?|Does aLLM have a web interface?|Is there a user interface?|"
     "Does aLLM have a GUI?|Where is the dashboard?|"
     "Can I use aLLM in the browser?", "Yes, start the server and open http://127.0.0.1:8080 in your browser.",
     "Yes, at http://127.0.0.1:8080."),
    ("How are you?|How are you doing?|How do you do?|How is it going?|How's it going?|How are you today?|You okay?|"
     "How do you feel?|How have you been?|"
     "Are you doing well?", "I am fine, thank you. How can I help you?", "Fine, thank you."),
    ("Thank you!|Thanks!|Thanks a lot.|Thank you very much.|Thx|Many thanks!|Great, thanks.|That helped, thank you.|"
     "Cheers!|Ok thanks|Perfect, thank you!|"
     "Thanks so much!", "You are welcome!", "You are welcome."),
    ("Goodbye!|Bye!|See you.|See you later!|Bye bye|Good night!|I have to go.|That is all for today.|"
     "Talk to you later.|Farewell!|"
     "See you tomorrow!", "Goodbye! It was nice talking to you.", "Goodbye!"),
    ("I am sad.|I feel sad.|I am unhappy.|I feel bad today.|I feel lonely.|I had a bad day.|Today was awful.|I'm sad|"
     "I am so tired.|I feel down.|"
     "I am feeling sad today.", "I am sorry to hear that. I hope it gets better soon.", "I am sorry to hear that."),
    ("I am happy.|I feel great.|I am so happy today!|I had a good day.|Today is a good day.|I'm happy|I feel good.|"
     "Life is good.|I am in a good mood.|"
     "I am feeling great today!", "That is good to hear!", "Good to hear!"),
    ("I love you.|I like you.|You are great!|You are nice.|Good bot!|Well done!|You are funny.|Good job!|"
     "You are smart.|Nice work!|"
     "You did well!", "Thank you, that is kind of you.", "Thank you."),
    ("You are stupid.|You are useless.|Bad bot!|That is wrong.|You are wrong.|I hate you.|That was a bad answer.|"
     "You are not helpful.", "I am sorry. I am only a tiny model, but I do my best.", "I am sorry."),
    ("Tell me a joke.|Do you know a joke?|Make me laugh.|Say something funny.|A joke, please.|Can you tell a joke?|"
     "Tell me something funny.|"
     "I want to hear a joke.", "Why did the computer go to the doctor? It had a virus.",
     "Computers catch viruses too."),
    ("Tell me another joke.|Another joke, please.|One more joke.|Do you know another joke?|Tell one more joke.|"
     "Another one!|"
     "I want another joke.", "Why was the math book sad? It had too many problems.", "Math books have many problems."),
    ("What is the meaning of life?|What is the answer to life, the universe and everything?|Why are we here?|"
     "Tell me the meaning of life.", "Some say the answer is 42.", "42."),
    ("What is your favourite colour?|What's your favorite color?|Which colour do you like best?|"
     "Do you have a favourite colour?|"
     "Which colour do you prefer?", "I like blue best.", "Blue."),
    ("What is your favourite food?|What do you like to eat?|Are you hungry?|Do you eat?|What did you eat today?|"
     "What food do you like?", "I do not eat, but I like fresh tokens.", "Fresh tokens."),
    ("How old are you?|What is your age?|When were you born?|When is your birthday?|Your age?|"
     "Can you tell me your age?", "I have no age, I am a computer program.", "I have no age."),
    ("What day is it today?|What is the date today?|What time is it?|What is the time?|Which day is today?|"
     "What's the date?|What year is it?|"
     "Can you tell me the time?", "I have no clock, so I do not know the time or the date.",
     "I do not know, I have no clock."),
    ("Ok|Okay.|I see.|Alright.|Cool.|Nice.|Great!|Good.|Interesting.|Wow!|Hm.|Got it.|Sure.|Fine.|"
     "I understand.", "Good. Is there anything else I can do for you?", "Anything else?"),
    ("Write a haiku.|Write a haiku about the sea.|Can you write a haiku?|Haiku, please.|Compose a haiku.|"
     "Write me a haiku.|Please write a short haiku.|"
     "I would like a haiku.", "Waves roll to the shore,\na small boat rocks in the wind,\nthe moon watches all.", None),
    ("Write a poem.|Write a short poem.|Write me a poem.|Can you write a poem?|A poem, please.|Tell me a poem.|"
     "Compose a short poem.|"
     "I would like a poem.",
     "The sun goes down, the day is done,\nthe stars come out now, one by one.\nThe moon is high, the night is deep,\nand all the world has gone to sleep.", None),
    ("Tell me a story.|Write a story.|Write a short story.|Tell me a short story.|Can you tell me a story?|"
     "Write me a little story.|A story, please.|"
     "I would like to hear a story.", "Once upon a time there was a little robot who lived on a hill. Every night it "
                                      "counted the stars. One night a star fell down into the grass. "
     "The robot picked it up and carried it home. From then on its window was always bright, and it was never lonely "
     "again.", None),
    ("Write a story about a dragon.|Tell me a story about a dragon.|Can you tell a dragon story?|"
     "A story about a dragon, please.|"
     "I would like a dragon story.", "Once there was a small dragon who could not breathe fire. The other dragons "
                                     "laughed at it. One cold winter all the fires went out, because of the wind. "
     "The small dragon went to the village, learned to use matches, and lit them all again. Nobody laughed any more.",
     None),
    ("Write a story about a cat.|Tell me a story about a cat.|Can you tell a cat story?|A story about a cat, please.|"
     "I would like a cat story.", "There was a cat who wanted to see the sea. She walked for three days through "
                                  "fields and towns. When she came to the shore she put one paw into the water. "
     "It was wet and cold. She laughed, turned round and walked home, and told everybody how big the sea was.", None),
]

# verb phrases of "how do I ..." -> (answer, short answer)
HOW = [
    ("start the server|run the server|launch the server|start aLLM|start allm|serve models|get the server running|"
     "start an API server|bring the server up",
     "Run `allm serve`. The server then listens on http://127.0.0.1:8080.", "allm serve"),
    ("chat with a model|run a model|talk to a model|start a chat|use a model in the terminal|chat in the terminal|"
     "try a model|chat with a model in the terminal",
     "Run `allm run MODEL`, for example `allm run tiny-assistant`.", "allm run MODEL"),
    ("list the models|see my models|list all models|show all models|find out which models I have|"
     "see which models are installed|get a list of models|see the list of models",
     "Run `allm list` to see the models you have.", "allm list"),
    ("see running models|see which models are loaded|list loaded models|see what is running|"
     "check which models are running|show the loaded models|see what is loaded now",
     "Run `allm ps` to see the models that are loaded now.", "allm ps"),
    ("see the details of a model|show a model|get information about a model|see a model's context length|"
     "inspect a model|show details of a model|look at a model's details",
     "Run `allm show MODEL` to see its format, size and context length.", "allm show MODEL"),
    ("download a model|pull a model|get a new model|install a model|fetch a model|get more models|"
     "add a model from Hugging Face|download a new model",
     "Run `allm pull MODEL` to download a model.", "allm pull MODEL"),
    ("import a model|add my own model|add a local model|use a model file that I have|register a model|"
     "import my own model file",
     "Run `allm import PATH`, or put the model into ~/.llm-router/models.", "allm import PATH"),
    ("remove a model|delete a model|uninstall a model|get rid of a model|free disk space|delete an old model",
     "Run `allm rm MODEL` to remove a model.", "allm rm MODEL"),
    ("stop a model|unload a model|free the memory|free memory|take a model out of memory|unload a model from memory",
     "Run `allm stop MODEL` to unload a model.", "allm stop MODEL"),
    ("measure the speed|benchmark a model|run a benchmark|test how fast a model is|find out how fast it is|"
     "measure how fast a model is",
     "Run `allm bench MODEL` to measure its speed.", "allm bench MODEL"),
    ("transcribe audio|turn speech into text|transcribe a recording|get the text of an audio file|"
     "convert speech to text|transcribe a sound file",
     "Run `allm transcribe FILE` to turn speech into text.", "allm transcribe FILE"),
    ("turn text into speech|make it speak|speak a text|read a text aloud|generate speech|let aLLM speak a text",
     "Run `allm speak \"some text\"` to turn text into speech.", "allm speak TEXT"),
    ("make an image|draw a picture|generate an image|create a picture|paint a picture|make a picture from text",
     "Run `allm draw \"what you want to see\"` to make a picture.", "allm draw TEXT"),
    ("compute embeddings|embed a text|get an embedding|make embeddings|get the embedding of a text",
     "Run `allm embed \"some text\"`, or use the /v1/embeddings endpoint.", "allm embed TEXT"),
    ("make an API key|create an API key|manage API keys|protect the server|add a key|create a new API key",
     "Run `allm keys` to make and manage API keys.", "allm keys"),
    ("check my hardware|see what hardware is found|find problems|check if my machine is fine|see if my GPU is found|"
     "check my machine",
     "Run `allm doctor` to check your machine.", "allm doctor"),
    ("use several machines|run a cluster|connect several nodes|spread requests over machines|use more than one machine",
     "Run `allm router` to spread requests over several nodes.", "allm router"),
    ("use the OpenAI client|use the Python client|connect from Python|use the openai library|use it from Python|"
     "set the base URL|connect my application|point my app at aLLM|use the openai package in Python",
     "Use the openai package and set base_url to \"http://127.0.0.1:8080/v1\": client = OpenAI(base_url=\"http://127.0.0.1:8080/v1\", api_key=\"none\").",
     "Set base_url to http://127.0.0.1:8080/v1."),
    ("get help|see all commands|see the options|find the documentation|learn more about aLLM|get help on the commands",
     "Run `allm --help` to see all commands.", "allm --help"),
    ("stop the server|shut the server down|end the server|quit the server|turn the server off|shut down aLLM",
     "Press Ctrl+C in the terminal where the server runs.", "Ctrl+C"),
    ("exit the chat|leave the chat|quit the chat|end the chat|get out of the chat|close the chat",
     "Press Ctrl+D to leave the chat.", "Ctrl+D"),
]
HOW_OPENERS = ["How do I {}?", "How can I {}?", "How do you {}?", "how to {}", "How to {}?", "I want to {}.",
    "Tell me how to {}.", "What is the command to {}?",
               "Which command do I use to {}?", "Please explain how to {}.", "Can you tell me how to {}?",
               "I would like to {}. How?", "What do I type to {}?",
               "What's the way to {}?"]  # the last one is held out

GREETINGS = ["Hello!", "Hi!", "Hello", "hi", "Hey", "Hey there!", "Good morning!", "Good evening.", "Good afternoon!",
    "Hello there.", "Hi there", "Greetings!", "Hallo", "Yo", "Howdy!"]
GREETINGS_EVAL = ["Hello, hello!", "Hi, good morning!"]

CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon",
    "England": "London", "Ireland": "Dublin", "Austria": "Vienna",
    "Poland": "Warsaw", "Greece": "Athens", "Norway": "Oslo", "Sweden": "Stockholm", "Finland": "Helsinki",
    "Denmark": "Copenhagen", "Hungary": "Budapest", "Belgium": "Brussels",
    "the Netherlands": "Amsterdam", "Switzerland": "Bern", "Russia": "Moscow", "Ukraine": "Kyiv", "Turkey": "Ankara",
    "Egypt": "Cairo", "Kenya": "Nairobi", "Japan": "Tokyo",
    "China": "Beijing", "India": "New Delhi", "Canada": "Ottawa", "Australia": "Canberra", "Brazil": "Brasilia",
    "the United States": "Washington", "Mexico": "Mexico City", "Cuba": "Havana",
}
CAPITAL_Q = ["What is the capital of {}?", "What's the capital of {}?", "Capital of {}?", "Tell me the capital of {}.",
    "Which city is the capital of {}?", "Do you know the capital of {}?",
             "Name the capital of {}.", "the capital of {} please", "What city is {}'s capital?",
             "Can you name the capital of {}?"]  # the last one is held out
COUNTRY_Q = ["{} is the capital of which country?", "Of which country is {} the capital?",
    "Which country has the capital {}?", "{} is the capital of what?"]
OTHER_COUNTRIES = ["Mali", "Chad", "Togo", "Benin", "Nepal", "Laos", "Bhutan", "Fiji", "Tonga", "Oman", "Qatar",
    "Yemen", "Gabon", "Niger", "Ghana", "Zambia", "Malta", "Latvia", "Angola", "Haiti"]

OPPOSITES = {"hot": "cold", "big": "small", "fast": "slow", "good": "bad", "happy": "sad", "light": "dark",
    "up": "down", "left": "right", "open": "closed", "new": "old", "high": "low", "long": "short",
             "hard": "soft", "full": "empty", "early": "late", "rich": "poor", "strong": "weak", "wet": "dry",
             "day": "night", "yes": "no", "black": "white", "first": "last"}
OBJECT_COLOURS = {"the sky": "blue", "grass": "green", "snow": "white", "a banana": "yellow", "blood": "red",
    "coal": "black", "an orange": "orange", "the sun": "yellow", "a lemon": "yellow", "a tomato": "red",
                  "the sea": "blue", "chocolate": "brown", "milk": "white", "a strawberry": "red", "a frog": "green",
                  "a polar bear": "white", "the night": "black", "a cucumber": "green"}
ANIMAL_SOUNDS = {"dog": "woof", "cat": "meow", "cow": "moo", "duck": "quack", "sheep": "baa", "pig": "oink",
    "lion": "roar", "bee": "buzz", "frog": "croak", "owl": "hoot"}
MIXES = {("blue", "yellow"): "green", ("red", "yellow"): "orange", ("red", "blue"): "purple",
    ("black", "white"): "grey", ("red", "white"): "pink"}
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December"]
MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
NUMBER_WORDS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
                "sixteen seventeen eighteen nineteen twenty").split()
COLOURS = "red blue green yellow black white orange purple pink brown grey silver gold turquoise violet beige crimson teal".split()

NAMES = ("Anna Ben Clara David Emma Felix Grace Henry Ida Jonas Karin Leo Mia Noah Olga Paul Rosa Sam Tina Uwe Vera "
         "Walter Zoe Alice Bob Carol Daniel Eva Frank Greta Hugo Ines Jack Kate Lars "
         "Maria Nina Oscar Peter Quentin Rita Simon Theo Ulla Victor Wendy Yara Adam Bella Carlos Diana Erik Fiona "
         "George Hanna Ivan Julia Kevin Lily Marco Nora Otto Pia Ralf Sara Tom "
         "Amir Fatima Wei Yuki Kenji Priya Raj Omar Leila Chen Mei Ravi Sven Astrid Pedro Lucia Pablo Sofia Mateo "
         "Elena Dmitri Natasha Igor Anya Kofi Ama Zara Malik Nadia Hassan Jin Sora Hiro Akira "
         "Max Moritz Lena Tim Jan Kim Alex Chris Robin Lou Ruth Joan Mark Luke John James Mary Linda Susan Karen "
         "Betty Helen Sandra Donna Brian Kurt Gary Eric Steve Andrew Ryan Jacob").split()
NAMES_EVAL = "Ada Grete Bjorn Tamsin Dorian Isolde Kaspar Mirela Ottilie Piet Quinn Rowan Saskia Tobias Ursula Vilma Wanda Xenia Yusuf Zelda Marlon Fenja Ludo Corin".split()
CITIES = ("Paris Berlin Rome Madrid Lisbon London Dublin Vienna Warsaw Athens Oslo Stockholm Helsinki Hamburg Munich "
          "Milan Naples Porto Lyon Nice Boston Chicago Denver Seattle Austin Dallas Miami Toronto "
          "Tokyo Osaka Kyoto Seoul Delhi Mumbai Cairo Lagos Nairobi Sydney Perth Lima Quito Bogota Prague Zurich "
          "Geneva Bern Basel Leeds Bristol Cardiff Glasgow").split()
CITIES_EVAL = "Reykjavik Tallinn Riga Utrecht Malaga Krakow Salzburg Turin Bremen Ghent Aarhus Sapporo Hanoi Tampa".split()
FOODS = "pizza bread rice soup cheese apples cake pasta noodles salad fish beans honey cookies pancakes curry potatoes".split()
ANIMALS = "dog cat horse cow bird fish rabbit mouse lion tiger bear wolf fox duck sheep goat frog snake turtle owl".split()
JOBS = "teacher doctor baker farmer driver nurse painter pilot cook singer writer carpenter gardener student plumber engineer".split()
NOUNS = ("house tree river mountain car train boat bridge road garden window door table chair lamp book letter "
         "picture song film game ball box bag coat shoe hat shirt ring clock phone computer server "
         "printer keyboard screen file folder report invoice order ticket task note list message email meeting event "
         "user account password project team customer product price stock market shop bank "
         "bill tax loan hotel flight trip map camera robot sensor engine motor pump valve battery light heater fan "
         "kettle oven fridge cup plate knife spoon island forest lake beach storm cloud rain star moon "
         "planet rocket piano guitar drum violin recipe museum library school office factory kitchen tower castle "
         "king queen pirate dragon ghost").split()
VERBS = ("get set find make send open close start stop create delete update add remove show list read write check "
         "move copy count play pause book order buy sell rent lock unlock turn paint draw build "
         "clean wash fix repair print scan search fetch load save share post call measure record track plan schedule "
         "cancel reserve translate convert compare sort mix heat cool fill empty").split()
ADJECTIVES = "red blue green small big old new fast slow cold warm quiet loud bright dark round square soft hard heavy light long short rich poor happy sad clean dirty".split()
UNKNOWN = ["Who won the {n} championship?", "What is the population of {w}?", "Explain quantum {n} theory.",
    "How do I fix my {n}?", "What is the best {n}?", "Write Python code for a {n}.", "Who invented the {n}?",
           "Translate {n} to French.", "How far is it to {w}?", "What is the price of a {n}?", "Who is {w}?",
           "What is {w}?", "When was the {n} built?", "Where can I buy a {a} {n}?", "Why is the {n} {a}?",
           "How do I {v} a {n}?", "What do you think about the {n}?", "Who is the president of {w}?",
           "How high is the {n}?", "Tell me about {w}.", "What happened in 19{d}{e}?", "Write an essay about the {n}.",
           "What is the difference between a {n} and a {m}?", "Who wrote the {n} of {w}?",
           "Summarize the history of {w}.", "How many people live in {w}?", "What is the square root of {d}{e}{d}?",
           "How much does a {n} weigh?", "Where is {w}?", "Which {n} is the best?", "What colour has the {n} of {w}?",
           "How long is a {n}?", "Did {w} win?", "Can a {n} be {a}?", "How old is the {n}?", "What is a {n} made of?",
           "Give me a recipe for {n}.", "Show me a {a} {n}.", "Why do {n}s need a {m}?", "Does a {n} have a {m}?",
           "Should I buy a {n} or a {m}?", "Who is the king of {w}?", "What is {d}{e} percent of {d}{e}{d}?",
           "Recommend a {a} {n}.", "Debug my {n}.", "Who sings {w}?", "How many {n}s are there?", "What does {w} mean?",
           "Is {w} a {n}?", "What is the {n} called?", "Write a letter to my {n}.", "When does {w} begin?",
           "Explain how a {n} works.", "Is it true that the {n} is {a}?",
           "What does a {n} cost?"]  # the last two are held out
UNKNOWN_A = ("I am only a tiny demonstration model and I do not know that.", "I do not know.")
